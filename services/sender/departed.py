"""Who has left a list since an audience was fixed: no window that begins more than a few seconds
later includes them.

MEMBERSHIP is read only while there is something to send that is old enough to matter: a fan-out
of a second reads nothing, and an import before it costs the sender nothing. Once a second, what
happened on the list since the audience of the first chunk was fixed is folded; for chunks that are
older still (retries, a backlog) it is looked up once how each recipient stands.

Whatever ends a membership is told there as `member_unsubscribed`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from postroad.runtime.broker import Broker
from postroad.runtime.clock import now
from schemas import subjects
from schemas.envelope import Event
from schemas.membership import MemberSubscribed, MemberUnsubscribed
from schemas.road import ChunkQueued

YOUNG = timedelta(seconds=2)  # a chunk no older is sent as it was queued
OFTEN = 1.0  # seconds that what is known of a list is fresh
LAG = timedelta(minutes=1)  # by which an audience may be older than its chunk
REACH = timedelta(hours=1)  # what is older is looked up: 80 µs a recipient, measured
NOBODY: AbstractSet[str] = frozenset()


class Departed:
    """Who has left which list."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._lists: dict[str, _List] = {}

    async def of(self, chunk: ChunkQueued, queued: datetime) -> AbstractSet[str]:
        """Persons who are not on the list of this chunk any more, those of the chunk among them;
        to be asked before each window. `queued` is when the chunk was. Raises Retry."""
        time, audience = now(), chunk.since or queued
        copy = chunk.copy
        if copy.notice or not copy.to_members or time - audience < YOUNG:
            return NOBODY
        known = self._lists.get(chunk.list)
        if known is None or known.since < time - 2 * REACH:
            self._lists = {
                slug: each for slug, each in self._lists.items() if each.since >= time - 2 * REACH
            }
            known = self._lists[chunk.list] = (
                _List(self._broker, chunk.list, audience, start=chunk.as_of)
                if chunk.as_of and audience > time - REACH
                else _List(self._broker, chunk.list, max(audience - LAG, time - REACH))
            )
        return await known.gone(chunk, audience)


class _List:
    """What is known of one list: all that happened on it since then, or behind the sequence
    `start` where there is one."""

    def __init__(self, broker: Broker, slug: str, since: datetime, *, start: int = 0) -> None:
        self.since = since
        self._start = start
        self._broker = broker
        self._slug = slug
        self._gone: set[str] = set()
        self._looked_up: set[tuple[str, str]] = set()  # chunks older than `since`
        self._position = start  # the last sequence folded
        self._fresh_until = 0.0  # loop time
        self._lock = asyncio.Lock()  # a look at the past and the fold take turns

    async def gone(self, chunk: ChunkQueued, audience: datetime) -> AbstractSet[str]:
        """See `Departed.of`; `audience` is when that of the chunk was fixed, or up to LAG later."""
        loop = asyncio.get_running_loop()
        name = chunk.mail_id, chunk.chunk
        covered = self._covers(chunk.as_of, audience) or name in self._looked_up
        if covered and loop.time() < self._fresh_until:
            return self._gone
        async with self._lock:
            if loop.time() >= self._fresh_until:
                asked = loop.time()
                await self._fold()
                self._fresh_until = asked + OFTEN
            if not covered and name not in self._looked_up:
                await self._look_up(chunk.people)
                self._looked_up.add(name)
        return self._gone

    def _covers(self, as_of: int, audience: datetime) -> bool:
        if as_of and self._start:
            return as_of >= self._start
        return audience - LAG >= self.since

    async def _fold(self) -> None:
        everybody = subjects.membership(self._slug, "*")
        start_time = "" if self._position else self.since.strftime("%Y-%m-%dT%H:%M:%SZ")
        async for stored in self._broker.scan(
            "MEMBERSHIP", everybody, self._position + 1, start_time=start_time
        ):
            self._position = stored.seq
            person = stored.subject.rpartition(".")[2]
            if b"member_unsubscribed" in stored.data or person in self._gone:
                self._tell(person, gone=is_gone(stored.events()))

    async def _look_up(self, people: Iterable[str]) -> None:
        wanted = (subjects.membership(self._slug, person) for person in people if person)
        for subject, stored in (await self._broker.last_many("MEMBERSHIP", wanted)).items():
            gone = is_gone(stored.events())
            if gone is None:  # the last of it was about something else
                life = [
                    event
                    async for each in self._broker.scan("MEMBERSHIP", subject)
                    for event in each.events()
                ]
                gone = is_gone(life)
            self._tell(subject.rpartition(".")[2], gone=gone)

    def _tell(self, person: str, *, gone: bool | None) -> None:
        if gone:
            self._gone.add(person)
        elif gone is False:
            self._gone.discard(person)


def is_gone(events: Iterable[Event]) -> bool | None:
    """Whether somebody is no member after these events of theirs; None where they do not say."""
    gone: bool | None = None
    for event in events:
        if isinstance(event, MemberSubscribed | MemberUnsubscribed) and event.role == "member":
            gone = isinstance(event, MemberUnsubscribed)
    return gone
