"""What telemetry costs: fan-outs and small posts with all spans, a tenth of the traces, and none.

Three systems stand side by side, and do the same in turn, so that what else the machine does meets
all alike. What counts is the CPU time of all processes of a system but the projector, until the
last span is stored and folded; `value` is what it is more than without spans, in per cent: the
median over rounds. Below it stand the milliseconds of each kind, and in which processes the
difference lies, in seconds: the projector, for which no mail waits, makes a row of each span, so it
has the most. Throughput is told beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count

from postroad.runtime.rollcall import rollcall
from postroad.runtime.telemetry import FLUSH_SECONDS
from tests.bench import processes
from tests.bench.figures import Figure
from tests.bench.road import Road, mail
from tests.bench.yardsticks import Bound
from tests.e2e.system import until
from tests.peers.smtpsink import SmtpSink

KINDS = {
    "off": "[telemetry]\nport = 0\nenabled = false\n",
    "sampled": "[telemetry]\nport = 0\nsample = 0.1\n",
    "on": "[telemetry]\nport = 0\nsample = 1.0\n",
}
MEMBERS, POSTS, FEW = 100_000, 200, 10
ROUNDS = 5
ALL, TEN = "all@example.org", "ten@example.org"
COSTS = Bound(5)  # per cent
_numbers = count()

Work = Callable[[Road], Awaitable[float]]  # does it, and returns how many copies a second


async def measure() -> AsyncIterator[Figure]:
    """100,000 copies personal and shared, and 200 posts to 10 members."""
    async with SmtpSink.start() as sink, contextlib.AsyncExitStack() as stack:
        roads = {}
        for kind, more in KINDS.items():
            road = roads[kind] = await stack.enter_async_context(Road.start(sink.port, more=more))
            await road.seed(ALL, MEMBERS, "mode=personal")
            await road.seed(TEN, FEW)
        async for figure in _compared(f"{POSTS} posts to {FEW}", roads, _posts):
            yield figure
        async for figure in _compared(f"{MEMBERS:,} personal", roads, _one):
            yield figure
        for road in roads.values():
            await road.cli("list", "set", ALL, "mode=shared")
        async for figure in _compared(f"{MEMBERS:,} shared", roads, _one):
            yield figure


async def _compared(what: str, roads: dict[str, Road], work: Work) -> AsyncIterator[Figure]:
    spent: dict[str, list[dict[str, float]]] = {kind: [] for kind in roads}
    rates: dict[str, list[float]] = {kind: [] for kind in roads}
    for number in range(ROUNDS + 1):
        kinds = list(roads)[:: 1 if number % 2 else -1]  # nobody is always the last
        for kind in kinds:
            road = roads[kind]
            before = road.cpu()
            rate = await work(road)
            await _folded(road)
            if number:  # the first is for warming up
                spent[kind].append(processes.spent(before, road.cpu()))
                rates[kind].append(rate)
    cpu = {
        kind: [sum(each.values()) - each.get("projector", 0.0) for each in some]
        for kind, some in spent.items()
    }
    parts = {kind: 1000 * statistics.median(each) for kind, each in cpu.items()}
    for kind in ("on", "sampled"):
        more = [100 * (mine / none - 1) for mine, none in zip(cpu[kind], cpu["off"], strict=True)]
        name = f"{what}: CPU, telemetry {kind}"
        both = zip(spent[kind], spent["off"], strict=True)
        where = [{name: mine[name] - none[name] for name in none} for mine, none in both]
        yield Figure.median(name, more, "% more", need=COSTS, parts=parts, cpu=where)
    faster = [100 * (1 - mine / none) for mine, none in zip(rates["on"], rates["off"], strict=True)]
    told = {kind: statistics.median(each) for kind, each in rates.items()}
    yield Figure.median(f"{what}: copies a second", faster, "% less", parts=told)


async def _one(road: Road) -> float:
    """One post to everybody."""
    accounts = await road.accounts()
    event = await road.store(mail(f"{next(_numbers)}.all", ALL))
    await road.receive(event)
    end = await accounts.reach(MEMBERS, patience=600)
    return MEMBERS / (end - await road.routed_at(event))


async def _posts(road: Road) -> float:
    """Many small posts at once."""
    accounts = await road.accounts()
    events = [await road.store(mail(f"{next(_numbers)}.ten", TEN)) for _ in range(POSTS)]
    began = time.time()
    await asyncio.gather(*(road.receive(event) for event in events))
    return POSTS * FEW / (await accounts.reach(POSTS * FEW, patience=600) - began)


async def _folded(road: Road) -> None:
    """Wait until every span is stored, and the projector has all there is."""
    await road.idle()
    await asyncio.sleep(2 * FLUSH_SECONDS)

    async def through() -> bool:
        ends = {
            name: (await road.broker.api(f"STREAM.INFO.{name}"))["state"]["last_seq"]
            for name in ("DELIVERY", "SPANS", "ROUTED")
        }
        facts = [f for report in await rollcall(road.broker, ("projector",)) for f in report.facts]
        at = {fact.name: int(fact.facts["position"]) for fact in facts if fact.kind == "stream"}
        return all(at.get(name, 0) >= end for name, end in ends.items())

    await until(through, "the projector has folded everything", patience=600.0)
