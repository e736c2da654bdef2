"""The end of a login by browser: a port of this machine that the provider redirects to.

RFC 8252 section 7.3. Whoever comes without the state of this login changes nothing and is told so;
the port stays open for the right one. The browser is answered once it is known whether the login
has succeeded.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

LONGEST = 16 * 1024  # of a request's head
SECONDS = 10.0  # for one to arrive
FAREWELL_SECONDS = 2.0  # for the last page to be written
_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Postroad</title>"
    "<body style='font-family:sans-serif;margin:4em auto;max-width:30em'><p>{text}</p></body>"
)


class Loopback:
    """`port` is open on 127.0.0.1 while the context `opened` lasts; the browser hears how that
    ended, by an exception or without one."""

    def __init__(self) -> None:
        self.port = 0
        self._state = ""
        loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[str] = loop.create_future()
        self._end: asyncio.Future[bytes] = loop.create_future()
        self._visits: set[asyncio.Task[None]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls) -> AsyncIterator[Loopback]:
        """A free port, for one login."""
        loopback = cls()
        server = await asyncio.start_server(loopback._come, "127.0.0.1", 0, limit=LONGEST)
        loopback.port = server.sockets[0].getsockname()[1]
        try:
            yield loopback
            loopback._end.set_result(_http("200 OK", "You are logged in. You can close this page."))
        finally:
            server.close()
            if not loopback._end.done():
                failed = "The login has failed; the terminal says why. You can close this page."
                loopback._end.set_result(_http("400 Bad Request", failed))
            if loopback._visits:
                await asyncio.wait(loopback._visits, timeout=FAREWELL_SECONDS)

    async def redirected(self, state: str) -> str:
        """The target (path and query) that a browser is sent to with our state."""
        self._state = state
        return await self._answer

    def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = asyncio.ensure_future(self._visit(reader, writer))
        self._visits.add(visit)
        visit.add_done_callback(self._visits.discard)

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(
            ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
        ):
            async with asyncio.timeout(SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            writer.write(await self._page(head.split(b"\r\n")[0].decode("ascii", "replace")))
            async with asyncio.timeout(SECONDS):
                await writer.drain()
        writer.close()

    async def _page(self, request: str) -> bytes:
        method, _, rest = request.partition(" ")
        target = rest.rpartition(" ")[0]
        if method != "GET" or not self._ours(target):
            return _http("400 Bad Request", "This page belongs to no login that Postroad awaits.")
        if not self._answer.done():
            self._answer.set_result(target)
        return await asyncio.shield(self._end)

    def _ours(self, target: str) -> bool:
        try:
            given = parse_qs(urlsplit(target).query).get("state", [""])[0]
        except ValueError:
            return False
        return bool(self._state) and hmac.compare_digest(given.encode(), self._state.encode())


def _http(status: str, text: str) -> bytes:
    body = _PAGE.format(text=text).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\n"
        "Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
