"""Servers repeat addresses in their replies; none may reach a log, an event or a span."""

from __future__ import annotations

import re

_QUOTED = re.compile(r'"[^"]{0,128}"(?=@)')  # a quoted local part, which may hold blanks
_BREAK = re.compile(r"""([\s<>()\[\],;:"']+)""")
_SIGN = re.compile("[@\uff20\ufe6b]|%40")  # also full width, small, and URL form
_MASK = "(address)"


def redact(text: str, limit: int = 200) -> str:
    """The text on one line, at most `limit` characters, every word with an address masked.

    IP addresses and host names stay: they are ours or the relay's, and needed to mend things.
    """
    text = text[: 4 * limit]
    if _SIGN.search(text):
        words = _BREAK.split(_QUOTED.sub("", text))
        text = "".join(_MASK if _SIGN.search(word) else word for word in words)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())[:limit]


def gist(reason: str) -> str:
    """A reason without the words that have digits: ids of sessions, addresses, times."""
    return " ".join(word for word in reason.split() if not any(map(str.isdigit, word)))
