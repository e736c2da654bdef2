"""Membership with a million members on one list and 10,000 lists of a hundred: its roster, how long
it takes to start, and to subscribe one more.

The events are put into the streams as an import leaves them there: a person each in PEOPLE, two
subscriptions each in MEMBERSHIP. Only the broker and membership run. The roster is folded cold,
from no file: the clock runs from the start of the process until it is ready, and counts the events
of all three streams. Warm is the same with the file that is there. A subscription is `postroad
member add --confirmed` without the command line: from the request to its answer, which comes once
everybody sees the new member; on one list or another in turn, one after the other, and
eight at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec

from postroad.mail.tokens import address_key
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, new_id
from postroad.runtime.config import Config
from postroad.runtime.embedded import EmbeddedBroker, embedded
from postroad.runtime.provision import provision
from postroad.runtime.rollcall import rollcall
from schemas import codec, subjects
from schemas.commands import Answer, Subscribe
from schemas.envelope import Event
from schemas.lists import ListCreated, ListSettings
from schemas.membership import MemberSubscribed
from schemas.people import PersonKnown
from tests.bench import processes
from tests.bench.bulk import Bulk, Row
from tests.bench.figures import Figure
from tests.bench.road import BUILD, process
from tests.bench.yardsticks import Bound
from tests.e2e.system import until

MEMBERS = int(os.environ.get("POSTROAD_BENCH_MEMBERS", "1000000"))
EACH = 100  # members of a small list; everybody is on one
SUBSCRIPTIONS = 500
AT_ONCE = 8
LARGE = "large-example-org"
SETTINGS = '[site]\ndomain = "example.org"\n[dns]\nresolver = "none"\n'


async def measure() -> AsyncIterator[Figure]:
    """Catch-up, restart, subscriptions, memory."""
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="bench-") as place:
        home = Path(place)
        config = home / "postroad.toml"
        config.write_text(SETTINGS)
        key = Config.load(config, {}).site_key()
        async with embedded(home / "state") as server:
            broker = await Broker.connect(server.reach.url, name="bench")
            async with broker:
                await provision(broker)
                began = time.monotonic()
                events = await _store(server, key)
                took = time.monotonic() - began
                yield Figure.median(f"{events:,} events stored by the broker", [took], "s")
                async for figure in _starts(home, server, broker, events):
                    yield figure


async def _starts(
    home: Path, server: EmbeddedBroker, broker: Broker, events: int
) -> AsyncIterator[Figure]:
    assert server.process is not None
    pids = {"broker": server.process.pid}
    before = processes.cpu(pids)
    async with _membership(home, broker) as (pid, seconds):
        cpu = processes.cpu({"membership": pid})
        cpu |= processes.spent(before, processes.cpu(pids))
        rate = Figure.median(
            "roster folded anew",
            [events / seconds],
            "events/s",
            need=Bound(100_000, at_least=True),
            cpu=[cpu],
        )
        yield rate
        peaks = _peaks(pids | {"membership": pid})
        yield _memory("after a cold start", peaks)
    warm = []
    for _ in range(3):
        async with _membership(home, broker) as (_, seconds):
            warm.append(seconds)
    yield Figure.median("membership ready with a warm roster", warm, "s", need=Bound(10))
    async with _membership(home, broker) as (pid, _):
        for at_once, need in ((1, Bound(50)), (AT_ONCE, None)):
            took = await _subscribe(broker, at_once)
            scenario = f"subscribe one more, {at_once} at a time, 99 of 100"
            parts = {"median": statistics.median(took), "most": max(took)}
            late = statistics.quantiles(took, n=100)[98]
            yield Figure.median(scenario, [late], "ms", need=need, parts=parts)
        peaks = _peaks(pids | {"membership": pid})
        yield _memory("after subscriptions", peaks)


def _peaks(pids: dict[str, int]) -> dict[str, float]:
    return {name: processes.peak_rss(pid) for name, pid in pids.items()}


def _memory(when: str, peaks: dict[str, float]) -> Figure:
    return Figure.median(
        f"membership's peak memory {when}",
        [peaks["membership"]],
        "MB",
        parts=peaks,
        need=Bound(400),
    )


@contextlib.asynccontextmanager
async def _membership(home: Path, broker: Broker) -> AsyncIterator[tuple[int, float]]:
    """The service for the length of the block: its process, and the seconds until it was ready."""
    began = time.monotonic()
    pids: list[int] = []

    async def ready() -> bool:
        reports = await rollcall(broker, ("membership",))
        pids.extend(report.pid for report in reports if report.ready)
        return bool(pids)

    async with process(home, "postroad.cli.serve", "membership"):
        await until(ready, "membership is ready", patience=600)
        yield pids[0], time.monotonic() - began


async def _subscribe(broker: Broker, at_once: int) -> list[float]:
    """Milliseconds of each."""
    took: list[float] = []

    async def one_after_the_other(times: int) -> None:
        for number in range(times):
            list_ = f"list{random.randrange(MEMBERS // EACH)}" if number % 2 else "large"
            ask = Subscribe(list=f"{list_}@example.org", address=f"new{new_id()}@example.net")
            began = time.monotonic()
            answer = await broker.request(subjects.command("subscribe"), msgspec.json.encode(ask))
            took.append((time.monotonic() - began) * 1000)
            assert msgspec.json.decode(answer, type=Answer).changed == 1, answer

    await asyncio.gather(*(one_after_the_other(SUBSCRIPTIONS // at_once) for _ in range(at_once)))
    return took


async def _store(server: EmbeddedBroker, key: bytes) -> int:
    """Everybody and everything; how many events."""
    async with Bulk.connect(server.reach) as bulk, Bulk.connect(server.reach) as other:
        stored = await bulk.store(_lists())
        persons = [os.urandom(12).hex() for _ in range(MEMBERS)]
        stored += sum(
            await asyncio.gather(bulk.store(_people(key, persons)), other.store(_members(persons)))
        )
    return stored


def _lists() -> Iterator[Row]:
    for name in ("large", *(f"list{n}" for n in range(MEMBERS // EACH))):
        slug, address = f"{name}-example-org", f"{name}@example.org"
        event = ListCreated(slug=slug, address=address, settings=ListSettings())
        yield Row(subjects.lists(slug), _encoded(event))


def _people(key: bytes, persons: list[str]) -> Iterator[Row]:
    for number, person in enumerate(persons):
        address = f"member{number}@d{number % 100}.example.net"
        event = PersonKnown(person=person, address=address, evidence="import")
        yield Row(subjects.people(address_key(key, address)), _encoded(event))


def _members(persons: list[str]) -> Iterator[Row]:
    joined = MemberSubscribed(how="import")
    for person in persons:
        yield Row(subjects.membership(LARGE, person), _encoded(joined))
    for number, person in enumerate(persons):
        slug = f"list{number // EACH}-example-org"
        yield Row(subjects.membership(slug, person), _encoded(joined))


def _encoded(event: Event) -> bytes:
    return codec.encode(envelope([event], correlation="bench", actor="operator:bench"))
