"""Requests over one subscription, with less ado than nats-py's own: 77 down to 54 us of CPU each.

A request names a subject of this inbox to answer to; whoever answers first ends it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nats.aio.msg import Msg
from nats.errors import NoRespondersError

if TYPE_CHECKING:
    from nats.aio.client import Client


class Inbox:
    """Where answers to this connection's requests arrive."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._prefix = f"{nc.new_inbox()}."
        self._serial = itertools.count()
        self._waiting: dict[str, asyncio.Future[Msg]] = {}

    async def open(self) -> None:
        """Subscribe; before the first request."""
        await self._nc.subscribe(
            f"{self._prefix}*", cb=self._receive, pending_msgs_limit=-1, pending_bytes_limit=-1
        )

    async def ask(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None, timeout: float
    ) -> Msg:
        """The first answer. Raises TimeoutError after `timeout` seconds, NoRespondersError where
        nobody listens, and what a closed connection raises."""
        loop = asyncio.get_running_loop()
        token = f"{next(self._serial)}"
        answer: asyncio.Future[Msg] = loop.create_future()
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
        if message.headers and message.headers.get("Status") == "503":
            raise NoRespondersError
        return message

    async def tell(self, subject: str, data: bytes, headers: Mapping[str, str]) -> None:
        """Publish without an answer."""
        await self._nc.publish(subject, data, headers=dict(headers))

    async def _receive(self, message: Msg) -> None:
        answer = self._waiting.get(message.subject[len(self._prefix) :])
        if answer is not None and not answer.done():
            answer.set_result(message)


def _expire(answer: asyncio.Future[Msg]) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError("no answer"))
