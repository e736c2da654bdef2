"""Keeps the directory of lists up to date with the LISTS stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

import structlog

from postroad.runtime.broker import Broker
from postroad.runtime.errors import Retry
from postroad.runtime.stored import Stored
from projections.lists import Directory
from schemas.codec import UnknownEvent

CATCH_UP_SECONDS = 10.0  # to read what LISTS holds; 40,000 lists take one

log = structlog.get_logger()


class ListFeed:
    """Every list, folded in memory, as far as `directory.seq`."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.directory = Directory()
        self._folded = asyncio.Condition()

    async def follow(self) -> None:
        """Fold LISTS, for ever."""
        while True:
            with contextlib.suppress(Retry):
                async for batch in self.broker.follow("LISTS", "lists.>", self.directory.seq + 1):
                    await self._fold(batch)
            await asyncio.sleep(1.0)

    async def _fold(self, batch: Iterable[Stored]) -> None:
        for stored in batch:
            slug = stored.subject.removeprefix("lists.")
            try:
                message = stored.envelope()
            except UnknownEvent:  # of a newer release: it concerns settings we do not have
                log.warning("list.event_unknown", seq=stored.seq)
                self.directory.fold(slug, stored.seq, ())
            else:
                self.directory.fold(slug, stored.seq, message.events, stored.time)
        async with self._folded:
            self._folded.notify_all()

    async def catch_up(self) -> None:
        """Wait until every list stored so far is known. Raises Retry where that takes long."""
        last = await self.broker.last("LISTS", "lists.>")
        if last is None or self.directory.seq >= last.seq:
            return
        try:
            async with asyncio.timeout(CATCH_UP_SECONDS), self._folded:
                await self._folded.wait_for(lambda: self.directory.seq >= last.seq)
        except TimeoutError:
            raise Retry("the stream of lists cannot be read to its end") from None
