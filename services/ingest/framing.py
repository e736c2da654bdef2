"""Cuts what an IMAP server sends into its responses (RFC 3501 section 2.2.2). Pure.

A response is a line, or several with a literal after each but the last: lines come as `bytes`
without their CRLF, literals as `bytearray`. Its cost is linear however the octets arrive, and a
text that only looks like a literal or a tag is not taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Response = list[bytes | bytearray]

LARGEST = 64 << 20  # octets of one response; a SEARCH over a million mails has 8 million

_LITERAL = re.compile(rb"\{(\d{1,10})\+?\}\Z")  # servers that send {n+} are wrong, and exist
# these end in human-readable text, where "{3}" is no literal
_TEXT = re.compile(rb"\+|(?:\*|[^\s*+]+) (?:OK|NO|BAD|BYE|PREAUTH)\b", re.IGNORECASE)


class Framer:
    """The stream of one connection, cut into responses as they are complete."""

    def __init__(self) -> None:
        self._response: Response = []
        self._line = bytearray()
        self._literal = bytearray()
        self._missing = 0  # octets of the literal
        self._size = 0  # octets of the response so far

    @property
    def within(self) -> bool:
        """Whether a response has begun and is not complete."""
        return bool(self._response or self._line)

    def feed(self, data: bytes) -> Iterator[Response]:
        """The responses that `data` completes. ValueError for one above LARGEST octets."""
        at = 0
        while at < len(data):
            if self._missing:
                end = min(at + self._missing, len(data))
                self._literal += data[at:end]
                self._missing -= end - at
            else:
                end = data.find(b"\n", at) + 1 or len(data)
                self._line += data[at:end]
            self._size += end - at
            at = end
            if self._size + self._missing > LARGEST:
                raise ValueError(f"a response of more than {LARGEST} octets")
            if not self._missing and self._line.endswith(b"\r\n") and self._complete():
                response, self._response, self._size = self._response, [], 0
                yield response

    def _complete(self) -> bool:
        """Take the line in; whether it ends the response."""
        line = bytes(self._line[:-2])
        self._line.clear()
        if not line and not self._response:
            return False
        plain = not self._response and _TEXT.match(line)
        self._response.append(line)
        literal = None if plain else _LITERAL.search(line)
        if literal is None:
            return True
        self._literal, self._missing = bytearray(), int(literal[1])
        self._response.append(self._literal)
        return False
