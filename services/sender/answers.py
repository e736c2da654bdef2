"""What a server answers: replies read from bytes (RFC 5321 section 4.2).

Bounded in every direction, because the bytes come from outside: a line, a reply, and the text
that is kept of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from services.sender.redact import redact

MAX_LINE = 4096  # octets; RFC 5321 section 4.5.3.1.5 allows 512
MAX_REPLY = 65_536  # octets of all lines of one reply
MAX_TEXT = 500  # characters kept of a reply's text

Answer = tuple[int, bytes]
"""A whole reply as read: its code, and its text with lines parted by LF."""

# Servers repeat the enhanced code on each line (RFC 2034).
_ENHANCED = re.compile(rb"^([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s|$)", re.MULTILINE)
_LAST = {b"%d " % code: code for code in range(200, 600)}
_BARE = {b"%d" % code: code for code in range(200, 600)}
_MORE = {b"%d-" % code: code for code in range(200, 600)}


class OutOfStep(Exception):
    """What the server says cannot be an answer to what it was asked."""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """A reply worth keeping. `enhanced` is the RFC 3463 code or "", `text` is without codes
    and addresses and at most MAX_TEXT characters, `command` is MAIL, RCPT, DATA or "." (the
    message itself)."""

    code: int
    enhanced: str = ""
    text: str = ""
    command: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the server took responsibility."""
        return self.code < 300

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.code), self.enhanced, self.text)))


def reply(answer: Answer, command: str) -> Reply:
    """The reply to keep of an answer to this command."""
    code, text = answer
    enhanced = ""
    if found := _ENHANCED.search(text):
        enhanced = found[1].decode("ascii")
        text = _ENHANCED.sub(b" ", text)
    return Reply(code, enhanced, redact(text.decode("utf-8", "replace"), MAX_TEXT), command)


class AnswerReader:
    """Cuts what a server sends into answers, however the network cut it."""

    __slots__ = ("_code", "_lines", "_rest", "_size")

    def __init__(self) -> None:
        self._rest = b""  # a line not yet ended
        self._lines: list[bytes] = []  # of a reply not yet ended
        self._code = 0
        self._size = 0

    def feed(self, data: bytes) -> Iterator[Answer]:
        """The answers that these bytes complete.

        Raises OutOfStep, behind the answers before it, at what is no reply or too long.
        """
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            code = _LAST.get(line[:4])
            if code is not None and not self._lines and len(line) <= MAX_LINE:
                yield code, line[4:]  # nearly every reply: one line
            elif whole := self._line(line.rstrip(b"\r")):
                yield whole
        if len(self._rest) > MAX_LINE:
            raise OutOfStep("a reply line without an end")

    def _line(self, line: bytes) -> Answer | None:
        last = _LAST.get(line[:4]) or _BARE.get(line)
        code = last or _MORE.get(line[:4])
        self._size += len(line)
        if code is None or len(line) > MAX_LINE:
            raise OutOfStep("a line that is no SMTP reply")
        if self._lines and code != self._code:
            raise OutOfStep("a reply whose lines have different codes")
        if self._size > MAX_REPLY:
            raise OutOfStep("a reply that is too long")
        self._code = code
        self._lines.append(line[4:])
        if not last:
            return None
        text = b"\n".join(self._lines)
        self._lines.clear()
        self._size = 0
        return code, text
