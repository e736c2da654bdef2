"""What keeps a roster true: three streams followed from where its file stands.

LISTS goes to memory from the beginning, PEOPLE and MEMBERSHIP go to DuckDB from the checkpoint,
each batch with its position in one transaction. Several instances may run on one host; each has
its own file (`roster.duckdb`, `roster-2.duckdb`, ...).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from postroad.runtime.broker import Broker
from postroad.runtime.errors import PostroadError, Retry
from postroad.runtime.health import Health
from postroad.runtime.stored import Stored
from projections import roster, rosterqueries
from projections.duckfile import StoreBusy
from projections.roster import Key, Message, Standing
from projections.store import FEW, Schema, Store, drop
from schemas.codec import UnknownEvent
from schemas.people import PersonErased
from schemas.road import AsOf
from services.membership.directory import Directory
from services.membership.mirror import Mirror

SUBJECTS = {"PEOPLE": "people.>", "MEMBERSHIP": "membership.>", "LISTS": "lists.>"}
SCHEMA = Schema(version=roster.VERSION, tables=roster.TABLES, streams=roster.STREAMS)
INSTANCES = 16  # on one host
BATCH = 20_000  # messages in one transaction, where so many are there: 20 MB in memory
PAUSE_SECONDS = 0.25  # between two transactions that nobody waits for: each reads whole tables
WAIT_SECONDS = 10.0

log = structlog.get_logger()


class Feed:
    """Folds the streams for ever. `position` is the last sequence folded from each."""

    def __init__(self, broker: Broker, store: Store, health: Health) -> None:
        self.broker = broker
        self.store = store
        self.health = health
        self.lists = Directory()
        self.mirror = Mirror()
        self.position = {"LISTS": 0, **store.checkpoints}
        self._moved = asyncio.Condition()
        self._waiting = 0
        self._wanted = asyncio.Event()  # set while anybody waits

    @property
    def as_of(self) -> AsOf:
        """What is folded."""
        return AsOf(membership=self.position["MEMBERSHIP"], people=self.position["PEOPLE"])

    async def run(self) -> None:
        """Fold the three streams until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for stream in SUBJECTS:
                tasks.create_task(self._follow(stream))
            tasks.create_task(self._clean())

    async def catch_up(self) -> None:
        """Wait until everything stored before this call is folded."""
        goal: dict[str, int] = {}
        for stream, subject in SUBJECTS.items():
            last = await self.broker.last(stream, subject)
            goal[stream] = last.seq if last else 0
        await self._wait(goal)

    async def clean(self) -> None:
        """Wait until the file holds nothing of those whose erasure is folded, nor any that another
        instance has left behind on this host."""
        await asyncio.to_thread(_drop_unused, self.store.path.parent)
        async with self._moved:
            await self._moved.wait_for(lambda: not self.store.owes)

    async def _clean(self) -> None:
        while True:
            async with self._moved:
                await self._moved.wait_for(lambda: self.store.owes)
            await self.store.rewrite()
            async with self._moved:
                self._moved.notify_all()

    async def reached(self, as_of: AsOf, *, lists: int = 0, timeout: float = WAIT_SECONDS) -> None:
        """Wait until `as_of`, and LISTS up to `lists`, are folded. Raises Retry after `timeout`
        seconds."""
        goal = {"MEMBERSHIP": as_of.membership, "PEOPLE": as_of.people, "LISTS": lists}
        if self._stands_at(goal):
            return
        try:
            await asyncio.wait_for(self._wait(goal), timeout)
        except TimeoutError:
            raise Retry("the roster has not folded that far yet") from None

    def _stands_at(self, goal: dict[str, int]) -> bool:
        return all(self.position[stream] >= seq for stream, seq in goal.items())

    async def _wait(self, goal: dict[str, int]) -> None:
        self._waiting += 1
        self._wanted.set()
        try:
            async with self._moved:
                await self._moved.wait_for(lambda: self._stands_at(goal))
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._wanted.clear()

    async def _follow(self, stream: str) -> None:
        while True:
            try:
                await self._fold_all(stream)
            except Retry as retry:
                await asyncio.sleep(retry.delay)

    async def _fold_all(self, stream: str) -> None:
        waiting: list[Message] = []
        start = self.position[stream] + 1
        building = start == 1  # what is the first of its subject has no row
        new: set[str] = set()
        folding: asyncio.Task[None] | None = None
        try:
            async for batch in self.broker.follow(stream, SUBJECTS[stream], start):
                waiting += self._messages(batch)  # decoded at once: a third of the memory
                if building:
                    new.update([stored.subject for stored in batch if stored.first])
                newest = batch[-1]
                if newest.pending and len(waiting) < BATCH:
                    continue
                if folding is not None:
                    await folding
                folding = asyncio.create_task(self._fold(stream, waiting, newest.seq, new))
                waiting, new = [], set()
                if newest.pending:
                    continue  # and read what comes next meanwhile
                await folding
                building = False
                if stream != "LISTS":
                    with suppress(TimeoutError):
                        async with asyncio.timeout(PAUSE_SECONDS):
                            await self._wanted.wait()
        finally:
            if folding is not None:
                await folding

    def _messages(self, batch: Sequence[Stored]) -> list[Message]:
        messages: list[Message] = []
        for stored in batch:
            try:
                messages.append((stored.subject, stored.seq, stored.envelope()))
            except UnknownEvent:
                self.health.count("unknown_events")  # of a newer release
                log.warning("roster.unknown_event", subject=stored.subject, seq=stored.seq)
        return messages

    async def _fold(
        self, stream: str, messages: Sequence[Message], upto: int, new: Collection[str]
    ) -> None:
        after = self.position[stream]
        if stream == "LISTS":
            for subject, seq, envelope in messages:
                self.lists.fold(subject.removeprefix("lists."), seq, envelope)
        elif stream == "PEOPLE":
            people = roster.fold_people(messages, new)
            erases = await self._erases(messages)
            await self.store.apply(people, stream=stream, after=after, upto=upto, erases=erases)
            self.mirror.people_changed(roster.persons_of(messages))
        else:
            keys = roster.keys_of(messages, new)
            members = roster.fold_membership(await standings(self.store, keys), messages)
            await self.store.apply(members, stream=stream, after=after, upto=upto)
            self.mirror.lists_changed(subject.split(".")[1] for subject, _, _ in messages)
        # memory and position change in one step: who reads both sees them agree
        self.position[stream] = upto
        self.health.report("roster", self.store.path.name, ok=True, position=dict(self.position))
        async with self._moved:
            self._moved.notify_all()

    async def _erases(self, messages: Sequence[Message]) -> bool:
        """Whether these messages of PEOPLE take an address out of the file for ever."""
        erased = {
            (event.person, subject.partition(".")[2])
            for subject, _, envelope in messages
            for event in envelope.events
            if isinstance(event, PersonErased)
        }
        people = [person for person, _ in erased]
        rows = await self.store.read(rosterqueries.WHOSE, {"people": people}) if people else ()
        return any((row[0], row[1]) in erased and row[2] is not None for row in rows)


async def standings(store: Store, keys: set[Key]) -> dict[Key, Standing]:
    """How these persons stand on these lists; who is not on one is left out."""
    wanted = tuple(keys)
    size = 1 if len(wanted) <= FEW else len(wanted)
    found = await asyncio.gather(
        *(_standings(store, wanted[at : at + size]) for at in range(0, len(wanted), size))
    )
    return {key: standing for some in found for key, standing in some}


async def _standings(store: Store, wanted: Sequence[Key]) -> list[tuple[Key, Standing]]:
    parameters = {
        "lists": [list_ for list_, _ in wanted],
        "people": [person for _, person in wanted],
    }
    rows = await store.read(rosterqueries.OPEN_ROWS, parameters)
    return [((row[0], row[1]), rosterqueries.standing_of(row[2:])) for row in rows]


async def open_store(broker: Broker, state_dir: Path) -> Store:
    """The first roster file of this host that no other instance has, fit for today's streams."""
    states = [await broker.api(f"STREAM.INFO.{stream}") for stream in roster.STREAMS]
    ends = {info["config"]["name"]: info["state"]["last_seq"] for info in states}
    origin = " ".join(info["created"] for info in states)
    for path in _files(state_dir):
        try:
            return await Store.open(path, SCHEMA, origin=origin, ends=ends)
        except StoreBusy:
            continue
    raise PostroadError(f"{INSTANCES} instances of membership run in {state_dir} already")


def _files(state_dir: Path) -> Iterator[Path]:
    yield state_dir / "roster.duckdb"
    yield from (state_dir / f"roster-{number}.duckdb" for number in range(2, INSTANCES + 1))


def _drop_unused(state_dir: Path) -> None:
    for path in _files(state_dir):
        drop(path)
