"""A scripted HTTP server: takes down whole requests and answers what the script says.

async with HttpScript.start(["202 Accepted", "429 Slow down", CUT]) as server:
    ...  # POST to server.url

An entry is a status line's end (and fields behind it, CRLF between), or one of CUT (the whole
request is read and the connection closed), HALF (closed when a part of the body has come) and
SILENCE; an entry "... | text" has this body. When they are used up, all is answered with 200.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CUT, HALF, SILENCE = "cut", "half", "silence"


@dataclass(frozen=True)
class Request:
    """A request that came whole. Names of fields in lower case."""

    line: str
    fields: dict[str, str]
    body: bytes


@dataclass
class HttpScript:
    """A running server on 127.0.0.1."""

    script: list[str]
    port: int = 0
    scheme: str = "http"
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Where to post to."""
        return f"{self.scheme}://127.0.0.1:{self.port}/v1/send"

    @classmethod
    @asynccontextmanager
    async def start(
        cls, script: Sequence[str] = (), tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[HttpScript]:
        """Serve until the context ends."""
        server = cls(list(script), scheme="https" if tls else "http")
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
        server.port = listening.sockets[0].getsockname()[1]
        try:
            yield server
        finally:
            server.ending.set()
            listening.close()
            for writer in server.open:
                writer.transport.abort()  # a client that says nothing would be waited for

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: request after request."""
        self.connections += 1
        self.open.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while await self._answered(reader, writer):
                pass
        self.open.discard(writer)
        writer.close()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *rest = head.strip().split("\r\n")
        fields = {name.lower(): value for name, _, value in (each.partition(": ") for each in rest)}
        told = self.script.pop(0) if self.script else "200 OK"
        size = int(fields.get("content-length", 0))
        if told == HALF:
            await reader.readexactly(size // 2)
            return False
        self.requests.append(Request(line, fields, await reader.readexactly(size)))
        if told == SILENCE:
            await self.ending.wait()
        if told in (CUT, SILENCE):
            return False
        status, _, body = told.partition(" | ")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
        return True
