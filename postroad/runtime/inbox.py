"""Requests over one subscription, with less ado than nats-py's own: answers are read from the wire.

A request names a subject of this inbox to answer to; whoever answers first ends it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from nats.errors import NoRespondersError

from postroad.runtime import wire

if TYPE_CHECKING:
    from nats.aio.client import Client


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

    async def open(self) -> None:
        """Subscribe; before the first request."""
        subscription = await self._nc.subscribe(f"{self._prefix}*", cb=wire.nothing)
        wire.tap(self._nc, subscription, self._take)

    async def ask(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None, timeout: float
    ) -> Reply:
        """The first answer. Raises TimeoutError after `timeout` seconds, NoRespondersError where
        nobody listens, and what a closed connection raises."""
        loop = asyncio.get_running_loop()
        token = f"{next(self._serial)}"
        answer: asyncio.Future[Reply] = loop.create_future()
        self._waiting[token] = answer
        timer = loop.call_later(timeout, _expire, answer)
        try:
            await self._nc.publish(
                subject, data, reply=self._prefix + token, headers=dict(headers or {}) or None
            )
            message = await answer
        finally:
            timer.cancel()
            del self._waiting[token]
        if message.headers.get("Status") == "503":
            raise NoRespondersError
        return message

    async def tell(self, subject: str, data: bytes, headers: Mapping[str, str]) -> None:
        """Publish without an answer."""
        await self._nc.publish(subject, data, headers=dict(headers))

    def _take(self, subject: bytes, _: bytes, head: bytes, data: bytes) -> None:
        answer = self._waiting.get(subject.decode()[len(self._prefix) :])
        if answer is not None and not answer.done():
            answer.set_result(Reply(wire.fields(head), data))


def _expire(answer: asyncio.Future[Reply]) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError("no answer"))
