"""List settings as typed: `name=value` texts to typed values, with Mailman's names.

A wrong name is answered with the nearest right one, a wrong value with the allowed ones.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from postroad.mail import addresses, mergefields
from postroad.mail.footer import fits
from schemas.lists import ListSettings
from services.membership.refused import Refused

TYPES: dict[str, Any] = get_type_hints(ListSettings)
TEXT_LIMIT = 250  # characters of one text: it must fit a header line (RFC 5322, 998 octets)
LINES_LIMIT = 4_000  # characters: it stands in every chunk of every post

# Our words for a setting whose Mailman name few people guess: alias -> (name, value -> value).
ALIASES: dict[str, tuple[str, dict[str, str]]] = {
    "mode": ("personalize", {"personal": "individual", "shared": "none"}),
}


def parse(typed: Mapping[str, str]) -> dict[str, object]:
    """Typed values by setting name. Raises Refused ("bad_setting") at the first wrong one."""
    return dict(_parse(name.strip(), text) for name, text in typed.items())


def _parse(name: str, text: str) -> tuple[str, object]:
    if name in ALIASES:
        real, values = ALIASES[name]
        if text not in values:
            raise Refused("bad_setting", f"{name}={text}: must be one of {', '.join(values)}")
        return real, values[text]
    if name not in TYPES:
        raise Refused("bad_setting", f"there is no list setting {name!r}{_nearest(name)}")
    if name in ("header", "footer"):
        return name, _lines(name, text)
    if name == "reply_to_address":
        return name, _answered(name, text)
    return name, _value(name, TYPES[name], text)


def _value(name: str, kind: Any, text: str) -> object:
    if get_origin(kind) is tuple:
        return tuple(_address(name, item) for item in text.replace(",", " ").split())
    if get_origin(kind) is Literal:
        allowed = get_args(kind)
        if text not in allowed:
            raise Refused("bad_setting", f"{name}={text}: must be one of {', '.join(allowed)}")
        return text
    if len(text) > TEXT_LIMIT:
        raise Refused("bad_setting", f"{name}: at most {TEXT_LIMIT} characters")
    if not text.isprintable():
        raise Refused("bad_setting", f"{name}: must be one line without control characters")
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Refused("bad_setting", f"{name}={text}: {error}") from error


def _lines(name: str, text: str) -> str:
    """A header or footer as it is kept: no blanks at line ends (but for `-- `), no empty lines
    around it."""
    lines = [line if line == "-- " else line.rstrip() for line in text.splitlines()]
    kept = "\n".join(lines).strip("\n")
    if len(kept) > LINES_LIMIT:
        raise Refused("bad_setting", f"{name}: at most {LINES_LIMIT:,} characters")
    if not kept.replace("\n", "").isprintable():
        raise Refused("bad_setting", f"{name}: must be text without tabs and control characters")
    try:
        pieces = mergefields.parse(kept)
    except ValueError as error:
        raise Refused("bad_setting", f"{name}: {error}") from error
    if not fits(pieces):
        raise Refused("bad_setting", f"{name}: a line of it is too long; mail takes 998 octets")
    return kept


def _answered(name: str, text: str) -> str:
    """An address for Reply-To, or none."""
    address = _address(name, text) if text.strip() else ""
    if not address.isascii():
        raise Refused("bad_setting", f"{name}: must be ASCII, not every server takes more")
    return address


def _address(name: str, text: str) -> str:
    try:
        return addresses.normalise(addresses.validate(text))
    except ValueError as error:
        raise Refused("bad_setting", f"{name}: {error}") from error


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), [*TYPES, *ALIASES], n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(TYPES))}"
