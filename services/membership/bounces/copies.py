"""Whose copy a bounce is about: the chunks of a post are in order of number, and of person."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from postroad.runtime.broker import Broker
from postroad.runtime.telemetry import PARENT
from projections.windows import Windows, next_try
from schemas import subjects
from schemas.road import ChunkQueued, WindowRecorded

MOST = 1 << 24  # chunks of a post; there are never so many
TRIES = 20  # of one copy, looked at for the one that came back


class Recipient(NamedTuple):
    """One member's copy of a post, in which chunk it was. `personal`: it had a token of its own."""

    person: str
    address: str
    personal: bool
    chunk: str = "0"


class Copies:
    """Recipients of posts, as far as SEND has them."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def numbered(self, list_: str, mail_id: str, number: int) -> Recipient | None:
        """The member whose copy of the post has this number."""
        chunk = await self._find(list_, mail_id, lambda chunk: chunk.first <= number)
        found = _recipient(chunk, number - chunk.first) if chunk else None
        if found is None:
            async for late in self._late(list_, mail_id):
                found = found or _recipient(late, number - late.first)
        return found

    async def of_person(self, list_: str, mail_id: str, person: str) -> Recipient | None:
        """The copy that this member had of the post."""
        chunk = await self._find(list_, mail_id, lambda chunk: min(chunk.people) <= person)
        if chunk is not None and person in chunk.people:
            return _recipient(chunk, chunk.people.index(person))
        async for late in self._late(list_, mail_id):
            if person in late.people:
                return _recipient(late, late.people.index(person))
        return None

    async def window(self, list_: str, mail_id: str, one: Recipient) -> str:
        """The span of the window in which this copy went, as `traceparent`; "" where nobody knows
        any more."""
        found = Windows(one.person)
        for chunk in (one.chunk, *(next_try(one.chunk, n) for n in range(1, TRIES))):
            subject = subjects.delivery(list_, mail_id, chunk)
            async for stored in self._broker.scan("DELIVERY", subject):
                for entry in stored.events():
                    if isinstance(entry, WindowRecorded):
                        found.take(subject, entry, stored.headers.get(PARENT, ""), None)
            if not (found.found and found.found[-1].deferred):
                break
        return found.found[-1].span if found.found else ""

    async def _late(self, list_: str, mail_id: str) -> AsyncIterator[ChunkQueued]:
        """The chunks of those who were missed at first (`services.membership.missing`)."""
        for number in range(MOST):
            chunk = await self._chunk(list_, mail_id, f"m{number}")
            if chunk is None:
                return
            yield chunk

    async def _find(
        self, list_: str, mail_id: str, reaches: Callable[[ChunkQueued], bool]
    ) -> ChunkQueued | None:
        """The last chunk that reaches so far: some 20 reads of a post to a million."""
        found = await self._chunk(list_, mail_id, "0")
        if found is None or not found.people or not reaches(found):
            return None
        low, high = 0, 1
        while high < MOST and (chunk := await self._chunk(list_, mail_id, str(high))):
            if not reaches(chunk):
                break
            found, low, high = chunk, high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            chunk = await self._chunk(list_, mail_id, str(middle))
            if chunk is not None and reaches(chunk):
                found, low = chunk, middle
            else:
                high = middle
        return found

    async def _chunk(self, list_: str, mail_id: str, chunk: str) -> ChunkQueued | None:
        name = subjects.send_any_lane(list_, mail_id, chunk)
        stored = await self._broker.last("SEND", name)
        events = stored.envelope().events if stored else ()
        return next((event for event in events if isinstance(event, ChunkQueued)), None)


def _recipient(chunk: ChunkQueued, at: int) -> Recipient | None:
    if not (0 <= at < len(chunk.people) and chunk.copy.to_members):
        return None
    return Recipient(chunk.people[at], chunk.addresses[at], chunk.copy.personal, chunk.chunk)
