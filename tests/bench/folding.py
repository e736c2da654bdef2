"""The projector alone: how fast it folds what lies in the streams, into what memory, and copies it.

A million subscriptions lie in MEMBERSHIP, then the ledger of a million copies in DELIVERY: chunks
of 128 in windows of 16, nine entries each. Only the broker and the projector run. A rebuild is
`postroad rebuild NAME`, timed by the projector itself, from the request until the new file stands
in the place of the old. Rows are ingested by a projector that starts and finds them there: the
clock runs from the start of the process until a question about the last of them is answered. A
copy for analysts is timed from the request to the answer: the file, and Parquet of the rows of a
day, which are a million of one kind and as many of another in the end. All is
measured three times, and the main things again after the broker was started anew: one that has
just stored a million subjects takes up to twice the processor time for each message that it gives
out, for its index of them lies scattered in its memory, which its garbage collector goes through.

Memory is the projector's own, the most it ever had; the copies are made by a program of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, new_id
from postroad.runtime.embedded import EmbeddedBroker, embedded
from postroad.runtime.provision import provision
from postroad.runtime.rollcall import rollcall
from projections.warehouse import NAME
from schemas import codec, subjects
from schemas.envelope import Event
from schemas.membership import MemberSubscribed
from schemas.questions import Piece, Progress, Question, Refreshed, Wish
from schemas.road import Intent, Outcome, WindowRecorded
from tests.bench import processes
from tests.bench.bulk import Bulk, Row
from tests.bench.figures import Figure
from tests.bench.road import BUILD, process
from tests.bench.yardsticks import Bound
from tests.e2e.system import until

EVENTS = COPIES = 1_000_000
CHUNK, WINDOW = 128, 16
CHUNKS = COPIES // CHUNK
PER_POST = 800  # of them
TIMES = 3
REBUILT = Bound(100_000, at_least=True)  # events a second
ANEW = ", broker started anew"
LIST = "large-example-org"
SETTINGS = '[site]\ndomain = "example.org"\n[dns]\nresolver = "none"\n'
PATIENCE = 600.0  # seconds


async def measure() -> AsyncIterator[Figure]:
    """Rebuilds, rows ingested, copies, memory."""
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="bench-") as place:
        home = Path(place)
        (home / "postroad.toml").write_text(SETTINGS)
        async with _running(home) as bench:
            await provision(bench.broker)
            await bench.store(_members(EVENTS))
            async with bench.projector() as pid:
                await bench.folded("MEMBERSHIP")
                yield await _rebuilt(bench, pid, "membership", "events", need=REBUILT)
                yield await _copied(bench, "copies for analysts, 1M rows")
                yield _memory("subscriptions", pid)
            await bench.store(_ledger())
            yield await _from_start(bench)
            bench.as_before()  # for its memory
            async with bench.projector() as pid:
                await bench.folded("DELIVERY")
                yield await _rebuilt(bench, pid, "deliveries", "windows")
                yield await _copied(bench, "copies for analysts, 1M deliveries more")
                yield _memory("deliveries", pid)
        async with _running(home) as bench:
            yield await _from_start(bench, ANEW)
            async with bench.projector() as pid:
                yield await _rebuilt(bench, pid, "membership", "events", ANEW, need=REBUILT)


@dataclass(frozen=True)
class Bench:
    """A broker with streams, and a place for the projector's file."""

    home: Path
    server: EmbeddedBroker
    broker: Broker

    def as_before(self) -> None:
        """Put the projector's file back as it was at the first call; no projector runs."""
        file = self.home / "state" / NAME
        kept = file.with_suffix(".before")
        shutil.copyfile(*((kept, file) if kept.exists() else (file, kept)))

    async def store(self, rows: Iterator[Row]) -> None:
        """Put messages into a stream."""
        async with Bulk.connect(self.server.reach) as bulk:
            await bulk.store(rows)

    @contextlib.asynccontextmanager
    async def projector(self) -> AsyncIterator[int]:
        """The service for the length of the block: its process, once it has a file."""
        async with process(self.home, "postroad.cli.serve", "projector"):
            pids: list[int] = []

            async def ready() -> bool:
                reports = await rollcall(self.broker, ("projector",))
                pids.extend(report.pid for report in reports if report.ready)
                return bool(pids)

            await until(ready, "the projector is ready", patience=PATIENCE)
            yield pids[0]

    async def folded(self, stream: str) -> None:
        """Wait until all that lies in a stream now is folded."""
        last = (await self.broker.api(f"STREAM.INFO.{stream}"))["state"]["last_seq"]
        question = Question(name="person", parameters={"person": ""}, after={stream: last})

        async def answered() -> bool:
            answer = await self._ask("query", msgspec.json.encode(question))
            return not msgspec.json.decode(answer, type=Piece).refused

        await until(answered, f"{stream} is folded", patience=PATIENCE)

    async def rebuilt(self, name: str) -> Progress:
        """Have a projection folded anew."""
        at = await self._progress("rebuild", msgspec.json.encode(Wish(names=(name,))))
        while at.state == "running":
            assert not at.refused, at.refused
            await asyncio.sleep(0.1)
            at = await self._progress("rebuilding", b"")
        assert not at.error, at.error
        return at

    async def copied(self) -> float:
        """Have the copies made anew; how long that took."""
        await self.store(_members(1))  # or there would be nothing to copy
        await self.folded("MEMBERSHIP")
        began = time.monotonic()
        answer = msgspec.json.decode(await self._ask("refresh", b""), type=Refreshed)
        assert answer.made, answer.refused
        return time.monotonic() - began

    async def _progress(self, endpoint: str, data: bytes) -> Progress:
        return msgspec.json.decode(await self._ask(endpoint, data), type=Progress)

    async def _ask(self, endpoint: str, data: bytes) -> bytes:
        return await self.broker.request(subjects.projector(endpoint), data, timeout=60)


@contextlib.asynccontextmanager
async def _running(home: Path) -> AsyncIterator[Bench]:
    async with embedded(home / "state") as server:
        broker = await Broker.connect(server.reach.url, name="bench")
        async with broker:
            yield Bench(home, server, broker)


async def _from_start(bench: Bench, how: str = "") -> Figure:
    took, cpu = [], []
    for _ in range(TIMES):
        bench.as_before()
        began = time.monotonic()
        async with bench.projector() as pid:
            await bench.folded("DELIVERY")
            took.append(time.monotonic() - began)
            cpu.append(processes.cpu({"projector": pid}))
    scenario = f"{COPIES:,} delivery rows, from the start{how}"
    return Figure.median(scenario, took, "s", need=Bound(5), cpu=cpu)


async def _rebuilt(
    bench: Bench, pid: int, name: str, what: str, how: str = "", *, need: Bound | None = None
) -> Figure:
    """Some rebuilds of a projection; the rows a second of the last are told beside."""
    rates, cpu, parts = [], [], {}
    pids = {"projector": pid}
    for _ in range(TIMES):
        before = processes.cpu(pids)
        done = await bench.rebuilt(name)
        cpu.append(processes.spent(before, processes.cpu(pids)))
        rates.append(done.events / done.seconds)
        parts = {"rows/s": done.rows / done.seconds}
    scenario = f"rebuild {name}{how}"
    return Figure.median(scenario, rates, f"{what}/s", need=need, cpu=cpu, parts=parts)


async def _copied(bench: Bench, scenario: str) -> Figure:
    took = [await bench.copied() for _ in range(TIMES)]
    return Figure.median(scenario, took, "s", need=Bound(1))


def _memory(what: str, pid: int) -> Figure:
    peak = processes.peak_rss(pid)
    return Figure.median(f"projector's peak memory, {what}", [peak], "MB", need=Bound(400))


def _members(count: int) -> Iterator[Row]:
    joined = _encoded(MemberSubscribed(how="import"))
    for _ in range(count):
        yield Row(subjects.membership(LIST, os.urandom(12).hex()), joined)


_ENTRIES = CHUNK // WINDOW + 1  # of a chunk in the ledger


def _ledger() -> Iterator[Row]:
    """Posts to 100,000, chunk by chunk."""
    mails = [new_id() for _ in range(CHUNKS // PER_POST + 1)]
    for number in range(CHUNKS):
        mail, place = mails[number // PER_POST], number % PER_POST
        people = [os.urandom(12).hex() for _ in range(CHUNK)]
        subject = subjects.delivery(LIST, mail, str(place))
        for start in range(0, CHUNK + 1, WINDOW):
            entry = WindowRecorded(
                mail_id=mail,
                list=LIST,
                chunk=str(place),
                outcome=Outcome(
                    start=start - WINDOW, end=start, text=f"2.0.0 Ok: queued as {start:09X}", ms=9
                )
                if start
                else None,
                intent=Intent(
                    start=start, end=start + WINDOW, people=tuple(people[start : start + WINDOW])
                )
                if start < CHUNK
                else None,
                relay="out",
                worker="service:sender/1",
                finished=start == CHUNK,
            )
            yield Row(subject, _encoded(entry), first=not start)


def _encoded(event: Event) -> bytes:
    return codec.encode(envelope([event], correlation="bench", actor="service:bench"))
