"""Types and file name extensions of mail parts, as typed in the settings of a content filter."""

from __future__ import annotations

import re

_TYPE = re.compile(r"([a-z0-9][\w!#$&^.+-]{0,126})(?:/(\*|[a-z0-9][\w!#$&^.+-]{0,126}))?", re.ASCII)
_EXTENSION = re.compile(r"(?:\*?\.)?([^\s.,*/\\\x00-\x1f]{1,40})")


def types(text: str) -> tuple[str, ...]:
    """`text/html image/*` as `text/html`, `image`. Raises ValueError naming what is no type."""
    found = []
    for word in _words(text):
        match = _TYPE.fullmatch(word)
        if match is None:
            raise ValueError(f"{word!r} is no type; write text/html, or image for all images")
        found.append(match[1] if match[2] in (None, "*") else word)
    return tuple(found)


def extensions(text: str) -> tuple[str, ...]:
    """`exe .Bat *.cmd` as `exe`, `bat`, `cmd`. Raises ValueError naming what is no extension."""
    found = []
    for word in _words(text):
        match = _EXTENSION.fullmatch(word)
        if match is None:
            raise ValueError(f"{word!r} is no file name extension; write exe, or gz for .tar.gz")
        found.append(match[1])
    return tuple(found)


def _words(text: str) -> list[str]:
    return text.lower().replace(",", " ").split()


READERS = {
    "filter_types": types,
    "pass_types": types,
    "filter_extensions": extensions,
    "pass_extensions": extensions,
}
