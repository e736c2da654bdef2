"""A source that listens, and those who bring it mail.

async with listening(tmp_path, "lmtp") as socket:
    async with socket.client() as client:
        assert await client.ask("LHLO me") == ...
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from postroad.mail.fields import fields
from postroad.runtime.blobs import get_raw
from schemas.road import MailReceived
from tests.e2e.system import System, until
from tests.peers.process import free_port


class Client:
    """A client that says what a test tells it to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def reply(self) -> str:
        """The next reply, its lines joined by a bar."""
        lines: list[str] = []
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), 30)).decode()
            lines.append(line.removesuffix("\r\n"))
            if line[3:4] != "-":
                return "|".join(lines)

    def say(self, data: str | bytes) -> None:
        """Write, and wait for nothing."""
        self.writer.write(data.encode() if isinstance(data, str) else data)

    async def ask(self, command: str) -> str:
        """The reply to a command."""
        self.say(f"{command}\r\n")
        return await self.reply()

    async def send(
        self, data: bytes, to: Sequence[str] = ("team@example.org",), sender: str = "ada@a.example"
    ) -> str:
        """The last reply to a mail (the first of those to its text, in LMTP)."""
        await self.ask(f"MAIL FROM:<{sender}>")
        for recipient in to:
            await self.ask(f"RCPT TO:<{recipient}>")
        reply = await self.ask("DATA")
        if reply[0] != "3":
            return reply
        self.say((b"\r\n" + data).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n")
        return await self.reply()

    async def ended(self) -> bool:
        """Whether the server hangs up."""
        with contextlib.suppress(ConnectionError):
            while await asyncio.wait_for(self.reader.readline(), 30):
                pass
        return True


@dataclass
class Socket:
    """The road, and the port at which its source listens."""

    road: System
    port: int
    hello: str

    @contextlib.asynccontextmanager
    async def stranger(self) -> AsyncIterator[Client]:
        """A connection, and nothing more."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Client(reader, writer)
        finally:
            await _closed(writer)

    @contextlib.asynccontextmanager
    async def client(self, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
        """A connection that was greeted and said hello."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=tls, server_hostname="localhost" if tls else None
        )
        client = Client(reader, writer)
        try:
            assert (await client.reply()).startswith("220 ")
            assert (await client.ask(f"{self.hello} client.example")).startswith("250")
            yield client
        finally:
            await _closed(writer)

    async def received(self) -> list[MailReceived]:
        """The mails in RECEIVED, in order."""
        return [
            event
            async for stored in self.road.broker.scan("RECEIVED", "mail.received.>")
            for event in stored.envelope().events
            if isinstance(event, MailReceived)
        ]

    async def texts(self) -> list[bytes]:
        """Their bytes, as the clients sent them: without our Received, which is on each."""
        return [(await self.trace(event))[1] for event in await self.received()]

    async def trace(self, event: MailReceived) -> tuple[bytes, bytes]:
        """The Received that is on a mail, and the mail below it."""
        data = await get_raw(self.road.broker, event.raw)
        line = next(data[each.start : each.end] for each in fields(data))
        assert line.startswith(b"Received: from ")
        assert b"\r\n\tby example.org with " in line
        return line, data.replace(line, b"", 1)

    async def took(self, number: int) -> None:
        """Wait until this many mails are in RECEIVED."""

        async def there() -> bool:
            return len(await self.received()) >= number

        await until(there, f"{number} mails were received")


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, RuntimeError):
        await writer.wait_closed()


def source(kind: str, port: int, **settings: str) -> str:
    """A [[source]] that listens."""
    lines = {"name": '"door"', "kind": f'"{kind}"', "port": str(port), **settings}
    return "[[source]]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())


@contextlib.asynccontextmanager
async def listening(
    home: Path,
    kind: str = "lmtp",
    *,
    more: str = "",
    services: Sequence[str] = ("membership", "ingest"),
    lists: Sequence[str] = ("team@example.org",),
    **settings: str,
) -> AsyncIterator[Socket]:
    """A broker, membership and ingest with a socket; `settings` are those of the source, `more`
    follows it. Where no router runs, nobody waits for its verdict."""
    if "router" not in services:
        settings = {"verdict": '"later"', **settings}
    port = free_port()
    text = source(kind, port, **settings) + more
    async with System.start(home, text, services=services) as road:
        for address in lists:
            await road.make_list(address, [])
        yield Socket(road, port, "LHLO" if kind == "lmtp" else "EHLO")
