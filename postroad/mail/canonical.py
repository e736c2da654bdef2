"""The forms that signatures are taken over: `relaxed`, of fields and of bodies (RFC 6376 3.4).

Relaxed, because relays fold fields anew and cut blanks at line ends, and `simple` breaks of it.
"""

from __future__ import annotations

import hashlib
import re

_AT_ONCE = 1 << 18  # octets of a body in hand: 20 MB are never copied as a whole
_BLANKS = re.compile(rb"  +")


def relaxed_field(field: bytes) -> bytes:
    """A field, canonical on the wire, as it is signed; ends in CRLF."""
    name, _, value = field.partition(b":")
    unfolded = value.replace(b"\r\n", b"").replace(b"\t", b" ")
    return b"%b:%b\r\n" % (name.rstrip(b" \t").lower(), _BLANKS.sub(b" ", unfolded).strip(b" "))


class BodyHash:
    """SHA-256 of a relaxed body that comes in pieces: 600 MB/s of base64, 260 of prose.

    Each piece is whole lines ending in CRLF (`wire.canonical`), before dots are doubled. What is
    common to many bodies is hashed once: `copy`, then `update` each with its own end.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._ends = 0  # line ends seen since the last text; at the end of a body, none count
        self._text = False

    def copy(self) -> BodyHash:
        """Another one that has seen the same."""
        twin = BodyHash()
        twin._hash, twin._ends, twin._text = self._hash.copy(), self._ends, self._text
        return twin

    def update(self, lines: bytes) -> None:
        """Go on with these lines."""
        start = 0
        while start < len(lines):
            end = lines.find(b"\r\n", min(start + _AT_ONCE, len(lines) - 2)) + 2
            self._take(lines[start:end])
            start = end

    def digest(self) -> bytes:
        """The hash (32 octets) of all so far."""
        if not self._text:
            return self._hash.digest()  # an empty body is hashed as nothing at all
        whole = self._hash.copy()
        whole.update(b"\r\n")
        return whole.digest()

    def _take(self, lines: bytes) -> None:
        blank = _BLANKS.sub(b" ", lines.replace(b"\t", b" ")).replace(b" \r\n", b"\r\n")
        text = blank.rstrip(b"\r\n")
        ends = (len(blank) - len(text)) // 2
        if text:
            self._hash.update(b"\r\n" * self._ends)
            self._hash.update(text)
            self._text = True
            self._ends = 0
        self._ends += ends
