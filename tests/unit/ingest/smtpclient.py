"""A session without a network: octets in, replies out, at once."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any

from services.ingest.smtpd.roles import Envelope, Gone, Letter, Terms
from services.ingest.smtpd.session import Session

KNOWN = "team@example.org"


class Wire:
    """A channel that is given all octets beforehand, in pieces, and ends behind the last."""

    def __init__(self, pieces: Iterable[bytes], *, secure: bool, local: bool) -> None:
        self.pieces = list(pieces)
        self.buffer = b""
        self.said: list[str] = []
        self.secure, self.local = secure, local
        self.address = "192.0.2.7"

    @property
    def pending(self) -> bool:
        return bool(self.buffer)

    def _more(self) -> None:
        if not self.pieces:
            raise Gone
        self.buffer += self.pieces.pop(0)

    async def line(self) -> bytes:
        while b"\n" not in self.buffer:
            if len(self.buffer) > 4096:
                raise Gone("500 5.5.2 the line is too long")
            self._more()
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line + b"\n"

    async def some(self) -> bytes:
        while not self.buffer:
            self._more()
        data, self.buffer = self.buffer, b""
        return data

    def unread(self, data: bytes) -> None:
        self.buffer = data + self.buffer

    def say(self, reply: str) -> None:
        self.said.append(reply)

    async def start_tls(self) -> None:
        self.secure = True


class Ledger:
    """A desk that knows one list and takes all mail."""

    def __init__(self) -> None:
        self.taken: list[tuple[Envelope, bytes]] = []
        self.judged: list[str] = []
        self.refusals: list[str] = []
        self.logins: list[tuple[str, str]] = []

    async def judge(self, recipient: str) -> str:
        self.judged.append(recipient)
        return "" if recipient.lower() == KNOWN else "550 5.1.1 there is no such list"

    def letter(self) -> Letter:
        return BytesIO()

    async def deliver(self, envelope: Envelope, letter: Letter) -> str:
        assert isinstance(letter, BytesIO)
        self.taken.append((envelope, letter.getvalue()))
        return "250 2.0.0 taken"

    def refused(self, code: str) -> None:
        self.refusals.append(code)

    async def log_in(self, user: str, password: str) -> bool:
        self.logins.append((user, password))
        return (user, password) == ("ada", "secret")


def spoken(
    *pieces: bytes, secure: bool = False, local: bool = False, **terms: Any
) -> tuple[list[str], Ledger]:
    """The replies to these octets, and what the desk saw."""
    wire, ledger = Wire(pieces, secure=secure, local=local), Ledger()
    session = Session(wire, ledger, Terms(host="lists.example.org", **terms))
    running = session.run()
    try:
        running.send(None)
    except StopIteration:
        return wire.said, ledger
    raise AssertionError("it waits for something that is none of ours")
