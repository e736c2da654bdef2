"""Whether a text names somebody: one of their addresses stands in it, and not only as a part of
another. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection

_BEFORE = r"(?<![\w.+-])"  # no more of a local part
_BEHIND = r"(?![\w-]|\.\w)"  # nor of a domain
_ESCAPED = re.compile(r"\\+([nrt]?)")  # of JSON, and of patterns


def names(text: str, addresses: Collection[str]) -> bool:
    """Whether a text, or JSON, names one of these addresses (in normal form), in whatever case, or
    has it as a pattern."""
    folded = _ESCAPED.sub(_unescaped, text.casefold())
    return any(
        address in folded and re.search(_BEFORE + re.escape(address) + _BEHIND, folded)
        for address in (each.casefold() for each in addresses)
    )


def _unescaped(escaped: re.Match[str]) -> str:
    return " " if escaped[1] else ""
