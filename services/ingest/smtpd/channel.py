"""One connection of a client: octets in, replies out, TLS, and an end to all patience."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import Callable
from typing import cast

from services.ingest.smtpd.roles import Gone

LINE = 4_096  # octets of a command; RFC 5321 section 4.5.3.1.4 asks for 512
AHEAD = 256 << 10  # octets read before anybody asks for them
LINE_SECONDS = 300.0  # for a command (RFC 5321 section 4.5.3.2.7)
MAIL_SECONDS = 900.0  # for a whole mail
SHAKE_SECONDS = 30.0  # for TLS
CLOSE_SECONDS = 5.0  # to take the last reply

_SLOW = "421 4.4.2 that took too long"


class Channel(asyncio.Protocol):
    """See `roles.Channel`. `begin` is called once connected.

    `waiting_since` is the loop's time from which a command is waited for, None while there is
    something to do.
    """

    def __init__(
        self,
        begin: Callable[[Channel], None],
        context: ssl.SSLContext | None,
    ) -> None:
        self._begin, self._context = begin, context
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._out: list[str] = []
        self._waiter: asyncio.Future[None] | None = None
        self._farewell: str | None = None  # the session is to end with these words
        self._lost = False
        self._paused = False
        self._mail_until = 0.0  # a mail comes, and has time until then
        self._room = asyncio.Event()  # to write
        self._room.set()
        self.closed = asyncio.Event()
        self.waiting_since: float | None = None
        self.secure = self.local = False
        self.address = ""

    # --- what the loop tells ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there, or TLS has begun."""
        self._transport = cast(asyncio.Transport, transport)
        self.secure = transport.get_extra_info("ssl_object") is not None
        peer = transport.get_extra_info("peername")
        with contextlib.suppress(ValueError, TypeError, IndexError):
            address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
            address = getattr(address, "ipv4_mapped", None) or address
            self.local, self.address = address.is_loopback, str(address)
        self._begin(self)

    def data_received(self, data: bytes) -> None:
        """Octets came: not many more than AHEAD are kept unread."""
        self._buffer += data
        if len(self._buffer) > AHEAD and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """The client says no more, and may yet want to hear the replies to what it said."""
        self._lost = True
        self._wake()
        return not self.secure

    def connection_lost(self, _: Exception | None) -> None:
        """It is over."""
        self._lost = True
        self._room.set()
        self._wake()
        self.closed.set()

    def pause_writing(self) -> None:
        """The client takes no answers."""
        self._room.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._room.set()

    def leave(self, farewell: str) -> None:
        """End the session as soon as it waits for the client."""
        self._farewell = farewell
        self._wake()

    # --- what a session asks ------------------------------------------------------------------

    @property
    def pending(self) -> bool:
        """Whether octets came that nobody has read."""
        return bool(self._buffer)

    async def line(self) -> bytes:
        """The next line with its LF. Raises Gone, also for one of more than LINE octets."""
        self._mail_until = 0.0
        until, looked = self._loop.time() + LINE_SECONDS, 0
        while (end := self._buffer.find(b"\n", looked)) < 0:
            if len(self._buffer) > LINE:
                raise Gone("500 5.5.2 the line is too long")
            looked = len(self._buffer)
            await self._more(until, waiting=True)
        if end > LINE:
            raise Gone("500 5.5.2 the line is too long")
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        return line

    async def some(self) -> bytes:
        """The next octets of a mail. Raises Gone."""
        self._mail_until = self._mail_until or self._loop.time() + MAIL_SECONDS
        while not self._buffer:
            await self._more(min(self._mail_until, self._loop.time() + LINE_SECONDS))
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def unread(self, data: bytes) -> None:
        """Put octets back before those that are not read yet."""
        self._buffer[:0] = data

    def say(self, reply: str) -> None:
        """Write a reply at the next occasion."""
        self._out.append(reply)

    async def start_tls(self) -> None:
        """Shake hands. Raises Gone where that fails."""
        assert self._transport is not None
        assert self._context is not None
        self._flush()
        try:
            transport = await self._loop.start_tls(
                self._transport,
                self,
                self._context,
                server_side=True,
                ssl_handshake_timeout=SHAKE_SECONDS,
            )
        except (OSError, TimeoutError, RuntimeError):  # the last is uvloop's, of a closed one
            raise Gone from None
        if transport is None:  # it was closed during the handshake
            raise Gone
        self._transport, self.secure = transport, True

    async def close(self) -> None:
        """Write what was said, and hang up."""
        if self._transport is None:
            return
        self._flush()
        self._transport.close()
        try:
            await asyncio.wait_for(self.closed.wait(), CLOSE_SECONDS)
        except TimeoutError:
            self._transport.abort()

    # ------------------------------------------------------------------------------------------

    async def _more(self, until: float, *, waiting: bool = False) -> None:
        """Until something came. Raises Gone where nothing does."""
        self._flush()
        assert self._transport is not None
        if self._lost:
            raise Gone
        if self._farewell is not None:
            raise Gone(self._farewell)
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        if not self._room.is_set():  # it asks and asks, and reads no answer
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), until - self._loop.time())
        self._waiter = self._loop.create_future()
        timer = self._loop.call_at(until, self._wake)
        if waiting:
            self.waiting_since = self._loop.time()
        before = len(self._buffer)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = self.waiting_since = None
        if len(self._buffer) > before:
            return
        if self._lost:
            raise Gone
        if self._farewell is not None:
            raise Gone(self._farewell)
        if self._loop.time() >= until:
            raise Gone(_SLOW)

    def _flush(self) -> None:
        if self._out and self._transport is not None and not self._transport.is_closing():
            self._transport.write(("\r\n".join(self._out) + "\r\n").encode("ascii", "replace"))
        self._out.clear()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
