"""Whom a session deals with: the client's connection, and those who decide."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from services.ingest.trace import Hop


class Gone(Exception):
    """The client is gone, or has to go: `farewell` is what it is told, "" for nothing."""

    def __init__(self, farewell: str = "") -> None:
        super().__init__(farewell)
        self.farewell = farewell


class Channel(Protocol):
    """The connection. Reading raises Gone where it ends or takes too long, and first writes what
    was said."""

    secure: bool  # behind TLS
    local: bool  # from this very machine
    address: str  # the client's IP address, "" where it is not known

    @property
    def pending(self) -> bool:
        """Whether octets came that nobody has read."""

    async def line(self) -> bytes:
        """The next line with its end, which is LF at least. Raises Gone for one without end."""

    async def some(self) -> bytes:
        """The next octets of a mail."""

    def unread(self, data: bytes) -> None:
        """Put octets back before those that are not read yet."""

    def say(self, reply: str) -> None:
        """Write a reply, without its CRLF, at the next occasion."""

    async def start_tls(self) -> None:
        """Shake hands."""


class Letter(Protocol):
    """Where a mail is put while it comes."""

    def write(self, data: bytes, /) -> int:
        """Add octets. Raises OSError where there is no room."""

    def close(self) -> None:
        """Forget them."""


@dataclass(slots=True)
class Envelope:
    """Sender and recipients of one mail; `size` in octets as the client announced it."""

    sender: str
    hop: Hop
    utf8: bool = False
    size: int = 0
    recipients: list[str] = field(default_factory=list)


class Desk(Protocol):
    """Who decides."""

    async def judge(self, recipient: str) -> str:
        """The reply that refuses this recipient, "" for one of ours."""

    def letter(self) -> Letter:
        """A place for a mail. Raises OSError."""

    async def deliver(self, envelope: Envelope, letter: Letter) -> str:
        """Store a mail for good; the reply to it."""

    def refused(self, code: str) -> None:
        """Count a refusal."""

    async def log_in(self, user: str, password: str) -> bool:
        """Whether a client may send as it says who it is."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What we offer. `host` is who we are, `domain` whose postmaster we know (else that of `host`);
    `size` is the largest mail in octets; `tls` that STARTTLS is offered; `login` that a client must
    log in."""

    host: str
    domain: str = ""
    lmtp: bool = False
    size: int = 25_000_000
    tls: bool = False
    login: bool = False
