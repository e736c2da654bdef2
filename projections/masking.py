"""What people wrote, without the addresses in it: analysts are to see none."""

from __future__ import annotations

import re

_QUOTED = re.compile(r'"[^"]{0,128}"(?=@)')  # a quoted local part, which may hold blanks
_BREAK = re.compile(r"""([\s<>()\[\]{},;:"'\\]+)""")
_SIGN = re.compile("[@\uff20\ufe6b]|%40")  # also full width, small, and URL form
MASK = "(address)"


def bears(text: str) -> bool:
    """Whether there is the sign of an address in it."""
    return _SIGN.search(text) is not None


def masked(text: str) -> str:
    """The text with each word masked that has the sign of an address in it."""
    if not bears(text):
        return text
    words = _BREAK.split(_QUOTED.sub("", text))
    return "".join(MASK if bears(word) else word for word in words)
