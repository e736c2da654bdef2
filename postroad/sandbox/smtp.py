"""The front of the sandbox: aiosmtpd as the mail exchanger that hands mail to the mailboxes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aiosmtpd.smtp import SMTP, Envelope, Session

MAX_MESSAGE = 30 * 1024 * 1024  # octets, offered as SIZE
MAX_LINE = 1 << 20  # octets; RFC 5321 section 4.5.3.1.6 lets a server take more than 1000

Accepts = Callable[[str], bool]
Deliver = Callable[[str, str, Sequence[str], bytes], Awaitable[None]]


class Exchanger:
    """aiosmtpd's handler: judges recipients by `accepts` (address) and gives accepted mail to
    `deliver` (HELO name, sender without angle brackets, recipients, message)."""

    def __init__(self, accepts: Accepts, deliver: Deliver) -> None:
        self._accepts = accepts
        self._deliver = deliver

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, name: str, replies: list[str]
    ) -> list[str]:
        """Offer PIPELINING (RFC 2920): aiosmtpd reads one command at a time from a buffer it
        never discards, so it keeps that promise without making it."""
        session.host_name = name
        return [*replies[:-1], "250-PIPELINING", replies[-1]]

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse unknown recipients with 550 5.1.1."""
        if not self._accepts(address):
            return "550 5.1.1 No such recipient here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Answer 250 only when the mail is in its mailboxes."""
        sender = (envelope.mail_from or "").strip("<>")
        content = envelope.original_content or b""
        await self._deliver(session.host_name or "", sender, envelope.rcpt_tos, content)
        return "250 OK"


class _Conversation(SMTP):
    """One client. `transports` is the set of open connections it joins and leaves."""

    line_length_limit = MAX_LINE

    def __init__(self, exchanger: Exchanger, transports: set[asyncio.BaseTransport]) -> None:
        super().__init__(
            exchanger, data_size_limit=MAX_MESSAGE, hostname="localhost", ident="Postroad sandbox"
        )
        self._transports = transports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transports.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport is not None:
            self._transports.discard(self.transport)
        super().connection_lost(error)


@asynccontextmanager
async def serve(exchanger: Exchanger, host: str, port: int) -> AsyncIterator[int]:
    """Speak SMTP on `host`:`port` (0 for a free one); yields the port. On exit every
    connection is closed."""
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # below that it logs addresses
    transports: set[asyncio.BaseTransport] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Conversation(exchanger, transports), host, port
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for transport in list(transports):
            transport.close()
        await server.wait_closed()
