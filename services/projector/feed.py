"""What keeps the file true: every stream that a projection names, followed from where it stands.

What comes is decoded at once, and all that waits is folded and stored in one transaction, a few
times a second at most: each costs 2 ms and as much again for each table. Whoever waits for a
position has it sooner.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import structlog

from postroad.runtime import instruments, telemetry
from postroad.runtime.broker import Broker
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Retry
from postroad.runtime.health import Health
from postroad.runtime.stored import Stored
from projections import layout
from projections.folding import Decoded, Folder, Outcome
from projections.warehouse import Batch, Exchanged, Origin, Warehouse
from schemas.questions import Progress

SPANS = "SPANS"
BATCH = 20_000  # messages of a stream that wait, and are stored at once
OCTETS = 4 << 20  # of them, likewise: their rows take ten times as much
PAUSE_SECONDS = 0.5  # between two transactions that nobody waits for
WAIT_SECONDS = 10.0
WATCH_SECONDS = 1.0

log = structlog.get_logger()


@dataclass
class Inflow:
    """What came from one stream and is not stored yet."""

    stream: str
    folder: Folder
    position: int
    decoded: list[Decoded] = field(default_factory=list)
    count: int = 0
    octets: int = 0
    upto: int = 0
    oldest: int = 0  # when the first of these was stored by the broker, in ns since the epoch
    pending: int = 0  # messages that lie behind these in the stream
    trace: str = ""  # what the newest of them belongs to, as `traceparent`
    room: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, stored: Sequence[Stored]) -> int:
        """Decode these; how many of them nobody knows."""
        decoded = self.folder.decode(stored)
        if not self.count:
            self.oldest = stored[0].ns
        self.decoded.append(decoded)
        self.count += len(stored)
        self.octets += sum([len(each.data) for each in stored])
        self.upto, self.pending = stored[-1].seq, stored[-1].pending
        self.trace = telemetry.parent_in(stored[-1].head)
        return decoded.unknown

    def full(self, times: int = 1) -> bool:
        """Whether so many times what waits is as much as may wait."""
        return times * self.count >= BATCH or times * self.octets >= OCTETS


class Feed:
    """Folds the streams for ever. `progress` is told what is stored."""

    def __init__(
        self,
        broker: Broker,
        warehouse: Warehouse,
        health: Health,
        progress: Progress | None = None,
    ) -> None:
        self.broker = broker
        self.warehouse = warehouse
        self.health = health
        self.progress = progress if progress is not None else Progress()
        self.inflows = {
            stream: Inflow(
                stream, Folder(some, warehouse.carries), warehouse.checkpoints.get(stream, 0)
            )
            for stream, some in layout.streams(warehouse.live).items()
        }
        self.generation = warehouse.generation
        self.stored = False  # whether anything was
        self._came = asyncio.Event()
        self._moved = asyncio.Condition()
        self._waiting = 0
        self._wanted = asyncio.Event()  # set while anybody waits

    async def run(self) -> None:
        """Fold until cancelled."""
        for inflow in self.inflows.values():
            self._report(inflow)
        async with asyncio.TaskGroup() as tasks:
            for inflow in self.inflows.values():
                tasks.create_task(self._follow(inflow))
            tasks.create_task(self._fold())
            tasks.create_task(self._watch())

    async def next(self) -> None:
        """Wait until something is stored."""
        async with self._moved:
            await self._moved.wait()

    async def reached(self, goal: Mapping[str, int], timeout: float = WAIT_SECONDS) -> None:
        """Wait until these streams are folded so far; a sequence that is nobody's stands for the
        one before it. Raises Retry after `timeout` seconds."""
        ends = {name: seq for name, seq in goal.items() if self._position(name) < seq}
        for name in ends.keys() & self.inflows.keys():
            last = await self.broker.last(name, self.inflows[name].folder.subjects)
            ends[name] = min(ends[name], last.seq if last else 0)
        await self._reached(ends, timeout)

    async def _reached(self, goal: Mapping[str, int], timeout: float | None) -> None:
        self._waiting += 1
        self._wanted.set()
        try:
            async with asyncio.timeout(timeout), self._moved:
                await self._moved.wait_for(
                    lambda: all(self._position(name) >= seq for name, seq in goal.items())
                )
        except TimeoutError:
            raise Retry("the projector has not folded that far yet") from None
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._wanted.clear()

    async def catch_up(self) -> None:
        """Wait until everything stored before this call is folded."""
        goal: dict[str, int] = {}
        for stream, inflow in self.inflows.items():
            last = await self.broker.last(stream, inflow.folder.subjects)
            goal[stream] = last.seq if last else 0
        await self._reached(goal, None)

    def _position(self, stream: str) -> int:
        inflow = self.inflows.get(stream)
        return inflow.position if inflow is not None else self.warehouse.checkpoints.get(stream, 0)

    async def _watch(self) -> None:
        """Tell how far behind it is while it is."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for inflow in self.inflows.values():
                if inflow.count:
                    self._report(inflow)

    async def _follow(self, inflow: Inflow) -> None:
        while True:
            try:
                start = max(inflow.upto, inflow.position) + 1
                async for batch in self.broker.follow(inflow.stream, inflow.folder.subjects, start):
                    unknown = inflow.take(batch)
                    if unknown:
                        self.health.count("unknown_events", unknown)
                        log.warning("projector.unknown_events", stream=inflow.stream, count=unknown)
                    self._came.set()
                    if inflow.full():
                        inflow.room.clear()
                        await inflow.room.wait()
            except Retry as retry:
                await asyncio.sleep(retry.delay)

    async def _fold(self) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            if not any(inflow.full(2) for inflow in self.inflows.values()):
                with suppress(TimeoutError):
                    async with asyncio.timeout(PAUSE_SECONDS):
                        await self._wanted.wait()
            try:
                await self._store([inflow for inflow in self.inflows.values() if inflow.count])
            except Exchanged:
                return  # whoever put the new file there follows on from where that stands

    async def _store(self, inflows: Sequence[Inflow]) -> None:
        """Fold what waits and store it."""
        with telemetry.span("projector.fold") as span:
            # of spans alone it leaves none, which would be folded in turn
            told = [inflow for inflow in inflows if inflow.stream != SPANS]
            span.kept = bool(told)
            for inflow in told:
                span.link("folded", inflow.trace)
            oldest = min((inflow.oldest for inflow in told), default=0)
            span.attributes["messaging.batch.message_count"] = sum(each.count for each in told)
            span.attributes["postroad.rows"] = await self._store_all(inflows)
            span.attributes["postroad.lag_ms"] = (time.time_ns() - oldest) // 1_000_000

    async def _store_all(self, inflows: Sequence[Inflow]) -> int:
        """Do so; how many rows there are more."""
        taken = []
        events = sum(inflow.count for inflow in inflows)
        for inflow in inflows:
            taken.append((inflow, inflow.decoded, inflow.upto))
            inflow.decoded, inflow.count, inflow.octets = [], 0, 0
            inflow.room.set()
        outcomes = await asyncio.to_thread(
            lambda: [inflow.folder.fold(decoded) for inflow, decoded, _ in taken]
        )
        crashpoint("projector.folded")
        rows = await self.warehouse.apply(
            [
                Batch(
                    stream=inflow.stream,
                    after=inflow.position,
                    upto=upto,
                    folded=outcome.folded,
                )
                for (inflow, _, upto), outcome in zip(taken, outcomes, strict=True)
            ],
            self.generation,
        )
        crashpoint("projector.stored")
        self.stored = True
        self.health.count("rows", rows)
        self.health.metrics.add(instruments.ROWS, by=rows)
        self.progress.events += events
        self.progress.rows += rows
        for (inflow, _, upto), outcome in zip(taken, outcomes, strict=True):
            inflow.folder.moved(outcome)
            inflow.position = upto
            self._told(outcome)
            self._report(inflow)
        async with self._moved:
            self._moved.notify_all()
        return rows

    def _told(self, outcome: Outcome) -> None:
        for failed in outcome.failed:
            self.health.count("failed_events")
            self.progress.failed += 1
            log.error(
                "projector.bug", projection=failed.projection, seq=failed.seq, error=failed.error
            )

    def _report(self, inflow: Inflow) -> None:
        behind = inflow.count + inflow.pending
        seconds = max(0.0, time.time() - inflow.oldest / 1e9) if inflow.count else 0.0
        self.health.report(
            "stream",
            inflow.stream,
            ok=True,
            position=inflow.position,
            lag=behind,
            lag_seconds=round(seconds, 1),
        )


@contextmanager
def by_itself() -> Iterator[None]:
    """Raise the first error of a group by itself."""
    try:
        yield
    except ExceptionGroup as group:
        error: Exception = group
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        raise error from group


async def origins(broker: Broker, streams: Sequence[str]) -> dict[str, Origin]:
    """What these streams are. Raises ApiError for one that is not there."""
    states = [await broker.api(f"STREAM.INFO.{stream}") for stream in streams]
    return {
        info["config"]["name"]: Origin(info["created"], info["state"]["last_seq"])
        for info in states
    }
