"""Requests over one subscription, with less ado than nats-py's own: answers are read from the wire.

A request names a subject of this inbox to answer to; whoever answers first ends it. An answer that
was due when the connection broke never comes: whoever waits for it learns so at once.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from nats.errors import NoRespondersError, StaleConnectionError

from postroad.runtime import wire

if TYPE_CHECKING:
    from nats.aio.client import Client


T = TypeVar("T")


class Reply(NamedTuple):
    """An answer."""

    headers: Mapping[str, str]
    data: bytes


class Inbox:
    """Where answers to this connection's requests arrive."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._prefix = f"{nc.new_inbox()}."
        self._serial = itertools.count()
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self._due: set[asyncio.Future[Any]] = set()

    async def open(self) -> None:
        """Subscribe; before the first request."""
        subscription = await self._nc.subscribe(f"{self._prefix}*", cb=wire.nothing)
        wire.tap(self._nc, subscription, self._take)

    async def ask(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None, timeout: float
    ) -> Reply:
        """The first answer. Raises TimeoutError after `timeout` seconds, NoRespondersError where
        nobody listens, StaleConnectionError where the connection breaks meanwhile, and what a
        closed one raises."""
        token = f"{next(self._serial)}"
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[token] = answer
        try:
            asking = self._nc.publish(
                subject, data, reply=self._prefix + token, headers=dict(headers or {}) or None
            )
            message = await self.owed(asking, answer, timeout)
        finally:
            del self._waiting[token]
        if message.headers.get("Status") == "503":
            raise NoRespondersError
        return message

    async def owed(self, asking: Awaitable[None], answer: asyncio.Future[T], timeout: float) -> T:
        """Ask, and wait for the answer that somebody else sets. Raises as `ask`."""
        timer = asyncio.get_running_loop().call_later(timeout, _fail, answer, TimeoutError)
        self._due.add(answer)
        try:
            await asking
            return await answer
        finally:
            timer.cancel()
            self._due.discard(answer)

    def broken(self) -> None:
        """The connection broke: no answer that is due comes any more."""
        for answer in tuple(self._due):
            _fail(answer, StaleConnectionError)

    async def tell(self, subject: str, data: bytes, headers: Mapping[str, str]) -> None:
        """Publish without an answer."""
        await self._nc.publish(subject, data, headers=dict(headers))

    def _take(self, subject: bytes, _: bytes, head: bytes, data: bytes) -> None:
        answer = self._waiting.get(subject.decode()[len(self._prefix) :])
        if answer is not None and not answer.done():
            answer.set_result(Reply(wire.fields(head), data))


def _fail(answer: asyncio.Future[Any], why: type[Exception]) -> None:
    if not answer.done():
        answer.set_exception(why())
