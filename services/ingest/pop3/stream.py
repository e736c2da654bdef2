"""The octets of one connection, read as lines and blocks; every wait ends."""

from __future__ import annotations

import asyncio
from typing import Any

from services.ingest.pop3.syntax import Block

LINE = 8_192  # octets; RFC 1939 allows 512, and servers put stories into their answers
FULL = 1 << 20  # octets that are held while nobody reads them


class Broken(Exception):
    """The server did what no server may."""


class Lost(Exception):
    """The connection is gone."""


class Stream(asyncio.Protocol):
    """What came and was not read yet. One reader at a time.

    The reading methods raise Lost where the connection is gone, and Broken for what is longer
    than it may be. They take as long as the server does: whoever calls sets the time.
    """

    def __init__(self) -> None:
        self.transport: Any = None
        self._data = bytearray()
        self._news = asyncio.Event()
        self._over = asyncio.Event()
        self.line_end = b"\r\n"  # of the line read last

    # --- the protocol -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It begins."""
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        """It is over."""
        self._over.set()
        self._news.set()

    def data_received(self, data: bytes) -> None:
        """Keep what came; a server that says more than was asked has to wait."""
        self._data += data
        self._news.set()
        if len(self._data) > FULL:
            self.transport.pause_reading()

    # --- reading ------------------------------------------------------------------------------

    @property
    def unread(self) -> bool:
        """Whether something came that nobody asked for."""
        return bool(self._data)

    async def line(self) -> bytes:
        """The next line, without its end."""
        while (at := self._data.find(b"\n")) < 0:
            if len(self._data) > LINE:
                raise Broken
            await self._more()
        line = bytes(self._data[:at])
        del self._data[: at + 1]
        if at > LINE:
            raise Broken
        self.line_end = b"\r\n" if line.endswith(b"\r") else b"\n"
        return line.removesuffix(b"\r")

    async def block(self, largest: int, patience: float) -> bytes:
        """What follows a line, up to the dot that ends it; at least every `patience` seconds
        something must come. ValueError above `largest` octets."""
        block = Block(self.line_end, largest)
        while True:
            data = bytes(self._data)
            self._data.clear()
            rest = block.feed(data)
            if rest is not None:
                self._data[:0] = rest
                return block.content()
            async with asyncio.timeout(patience):
                await self._more()

    async def _more(self) -> None:
        if self._over.is_set():
            raise Lost
        self._news.clear()
        self.transport.resume_reading()
        await self._news.wait()
        if self._over.is_set() and not self._data:
            raise Lost

    def secured(self, transport: asyncio.BaseTransport) -> None:
        """TLS has begun: talk through `transport`."""
        self.transport = transport
