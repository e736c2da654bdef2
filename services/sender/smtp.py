"""A connection to a relay: windows of transactions out, what became of them back.

`protocol.Conversation` knows what to say; this file only moves bytes, watches the clock
(RFC 5321 section 4.5.3.2) and closes. All of it runs in the transport's callbacks, so a message
costs no task switch; `send` waits once for a whole window.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from postroad.runtime.config import Relay
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.oauth import Tokens
from services.sender.protocol import Conversation
from services.sender.relay import RelayError, reach
from services.sender.transaction import Offers, Result, Transaction

__all__ = ["Connection", "RelayError", "Timeouts", "connect"]

_ONE_WRITE = 65_536  # octets; larger bodies leave in slices, as fast as the server takes them
_SLOWEST = 1_000_000  # octets a second of a large body before the server is said to keep us waiting


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds of patience: for each step of connecting, for the answer to a command, for the
    server to take some more of a body, for its answer to a message, for its good-bye. The
    middle three are the least that RFC 5321 section 4.5.3.2 allows."""

    connect: float = 60.0
    command: float = 300.0
    block: float = 180.0
    final: float = 600.0
    quit: float = 2.0


DEFAULT = Timeouts()


async def connect(
    relay: Relay,
    timeouts: Timeouts = DEFAULT,
    *,
    pipelining: bool = True,
    tokens: Tokens | None = None,
) -> Connection:
    """A connection to the relay, logged in and ready to send.

    `pipelining` False sends one command at a time whatever the server offers: for one that
    was found `out_of_step`. `tokens` are for a relay with oauth2. Raises RelayError, and
    SettingsError where the password is missing.
    """
    transport, offers = await reach(relay, timeouts.connect, tokens)
    if not pipelining:
        offers = replace(offers, pipelining=False)
    return Connection(transport, offers, timeouts)


class Connection(asyncio.Protocol):
    """One connection, ready for MAIL. Takes the transport over from whoever opened it."""

    def __init__(
        self, transport: asyncio.Transport, offers: Offers, timeouts: Timeouts = DEFAULT
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._timeouts = timeouts
        self._conversation = Conversation(offers)
        self.pause = 0.0  # a server of ours says no such thing
        self._slices: Iterator[memoryview] | None = None  # what is left of a large body
        self._paused = False
        self._progress = 0.0  # loop time of the last answer, or of the last octets taken
        self._due = 0.0  # loop time until which the server may be taking a large body
        self._timer: asyncio.TimerHandle | None = None
        self._over: asyncio.Future[None] | None = None  # the window under way
        self._results: list[Result] = []  # of it, or of the last
        self._closed: asyncio.Future[None] = self._loop.create_future()
        transport.set_protocol(self)
        if (sock := transport.get_extra_info("socket")) is not None:
            with contextlib.suppress(OSError):  # not TCP
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def offers(self) -> Offers:
        """What the server offered."""
        return self._conversation.offers

    @property
    def fault(self) -> str:
        """Why this connection can send nothing more, "" while it can. Holds no address."""
        return self._conversation.fault

    @property
    def out_of_step(self) -> bool:
        """Whether the server's answers stopped making sense: do not pipeline to it again."""
        return self._conversation.out_of_step

    async def send(self, transactions: Sequence[Transaction]) -> list[Result]:
        """Send a window and wait for its end: one result for each transaction, in order.

        Raises nothing for what server and network do: see `Result`, and `fault`. Cancelled, it
        closes the connection.
        """
        results = self._results = self._conversation.begin(transactions)
        await self._converse()
        return results

    def waiting(self) -> tuple[int, int, float] | None:
        """What keeps a window under way: a transaction of it, its recipient (-1: all of it),
        and for how many seconds the server has said nothing. None where there is none."""
        awaited = self._conversation.awaited
        if awaited is None or self._conversation.fault:
            return None
        result, recipient = awaited
        number = next(n for n, each in enumerate(self._results) if each is result)
        return number, recipient, self._waited()

    def abandon(self, fault: str) -> None:
        """End a window under way where it stands, at once; what was waited for counts as if the
        answer had come now. A message whose dot is written and unanswered is in doubt, and
        `lingering`: its result fills until that is done."""
        self._heard(self._conversation.awaited)
        if self._conversation.leave(fault):
            self._end()
        else:
            self._abort(fault)

    @property
    def lingering(self) -> asyncio.Future[None] | None:
        """Done when the answer has come that a window was not to wait for, or can come no more;
        the connection is closed then. None where there is no such."""
        left = self._conversation.fault and self._conversation.in_doubt
        return self._closed if left else None

    async def close(self) -> None:
        """Take leave and close, at any moment; a window under way ends where it stands."""
        try:
            if not self._conversation.busy:
                self._conversation.quit()
                async with asyncio.timeout(self._timeouts.quit):
                    await self._converse()
        except TimeoutError:
            pass
        finally:
            self._abort("closed")
        await asyncio.shield(self._closed)

    async def _converse(self) -> None:
        if not self._conversation.busy:
            return
        self._over = self._loop.create_future()
        self._progress = self._loop.time()
        self._watch()
        try:
            self._speak()
            await self._over
        except BaseException:
            self._abort("interrupted")
            raise
        finally:
            if self.lingering is None:
                self._calm()

    def _calm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _waited(self) -> float:
        """Seconds that the server keeps us waiting already."""
        return max(0.0, self._loop.time() - max(self._progress, self._due))

    def _watch(self) -> None:
        limits = self._timeouts
        if self._slices is not None:
            limit = limits.block
        elif self._conversation.in_doubt:
            limit = limits.final
        else:
            limit = limits.command
        left = self._progress + limit - self._loop.time()
        if left <= 0:
            self._abort(f"the server did not answer within {limit:g} s")
        else:
            often = min(left, limits.command, limits.block, limits.final)
            self._timer = self._loop.call_later(often, self._watch)

    def _speak(self) -> None:
        conversation = self._conversation
        body = conversation.body
        if body is None:
            self._transport.write(conversation.release())
        elif sum(map(len, body)) <= _ONE_WRITE:
            crashpoint("sender.before_dot")
            self._transport.write(b"".join((*body, conversation.release())))
            crashpoint("sender.after_dot")
        else:
            self._slices = _slices(body)
            self._due = self._loop.time() + sum(map(len, body)) / _SLOWEST
            self._pour()

    def _pour(self) -> None:
        """Write a large body until the server takes no more, or to its end and beyond."""
        while self._slices is not None and not self._paused:
            piece = next(self._slices, None)
            if piece is not None:
                self._transport.write(piece)
            else:
                self._slices = None
                crashpoint("sender.before_dot")
                self._transport.write(self._conversation.release())
                crashpoint("sender.after_dot")

    def _abort(self, fault: str) -> None:
        """Close at once: what is not yet on the wire must not leave any more."""
        self._slices = None
        self._conversation.stop(fault)
        self._transport.abort()
        self._end()

    def _heard(self, awaited: tuple[Result, int] | None) -> None:
        """What was waited for came now."""
        heard = self._loop.time()
        if awaited is not None:
            result, recipient = awaited
            waited = max(0.0, heard - max(self._progress, self._due))
            result.waits[recipient] = result.waits.get(recipient, 0.0) + waited
        self._progress, self._due = heard, 0.0

    def _end(self) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    # --- asyncio.Protocol ------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """The server said something."""
        conversation = self._conversation
        awaited = conversation.awaited
        if conversation.receive(data):
            self._heard(awaited)
        if conversation.fault and not conversation.in_doubt:
            self._abort(conversation.fault)
        elif not conversation.busy:
            self._end()
        elif conversation.speaks and self._slices is None:
            self._speak()

    def pause_writing(self) -> None:
        """The server is slower than we are."""
        self._paused = True

    def resume_writing(self) -> None:
        """It took most of what was written."""
        self._paused = False
        self._progress = self._loop.time()
        self._pour()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, whoever wanted it."""
        self._slices = None
        self._calm()
        self._conversation.stop(f"the connection broke: {exc}" if exc else "the server hung up")
        self._end()
        if not self._closed.done():
            self._closed.set_result(None)


def _slices(pieces: Sequence[bytes]) -> Iterator[memoryview]:
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), _ONE_WRITE):
            yield view[start : start + _ONE_WRITE]
