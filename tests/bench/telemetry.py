"""What telemetry costs: fan-outs and small posts with all spans, and with none.

Two systems stand side by side and do the same in turn, so that what else the machine does meets
both alike. What counts is the CPU time of all processes of a system but the projector, for which no
mail waits, until the last span is stored and folded. Each is told by the CPU time that the same
mails cost smtp-sink, which knows of no telemetry: a machine that slows one down slows both. `value`
is what it is more with spans than without, in per cent: the median over rounds, as many as fit
SECONDS. Below it stand the milliseconds of each, and in which processes the difference lies, in
seconds, the projector among them. Throughput is told beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
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
    "on": "[telemetry]\nport = 0\nsample = 1.0\n",
}
PERSONAL, SHARED, POSTS, FEW = 5_000, 25_000, 100, 10  # short rounds: what is noisy is so for both
ROUNDS, LEAST = 20, 5
SECONDS = 60.0  # for each kind of work; a busy machine has fewer rounds
EACH, ALL, TEN = "each@example.org", "all@example.org", "ten@example.org"
COSTS = Bound(5)  # per cent
_numbers = count()

Work = Callable[[Road], Awaitable[float]]  # does it, and returns how many copies a second


@dataclass(frozen=True)
class Spent:
    """What a round cost: seconds of CPU of each process of ours, and of the sink; copies a
    second."""

    ours: dict[str, float]
    sink: float
    rate: float

    @property
    def waited_for(self) -> float:
        """Seconds of all for whom mail waits."""
        return sum(self.ours.values()) - self.ours.get("projector", 0.0)

    @property
    def share(self) -> float:
        """The same by the sink's."""
        return self.waited_for / self.sink


async def measure() -> AsyncIterator[Figure]:
    """Copies personal and shared, and small posts to 10 members."""
    async with SmtpSink.start() as sink, contextlib.AsyncExitStack() as stack:
        roads = {}
        for kind, more in KINDS.items():
            road = roads[kind] = await stack.enter_async_context(Road.start(sink.port, more=more))
            await road.seed(EACH, PERSONAL, "mode=personal")
            await road.seed(ALL, SHARED, "mode=shared")
            await road.seed(TEN, FEW)
        works: dict[str, Work] = {
            f"{PERSONAL:,} personal": partial(_one, EACH, PERSONAL),
            f"{SHARED:,} shared": partial(_one, ALL, SHARED),
            f"{POSTS} posts to {FEW}": _posts,
        }
        for what, work in works.items():
            spent = await _in_turn(roads, work, sink.daemon.pid)
            for figure in _compared(what, spent):
                yield figure


async def _in_turn(roads: dict[str, Road], work: Work, sink: int) -> dict[str, list[Spent]]:
    spent: dict[str, list[Spent]] = {kind: [] for kind in roads}
    over = asyncio.get_running_loop().time() + SECONDS
    for number in range(ROUNDS + 1):
        if number > LEAST and asyncio.get_running_loop().time() > over:
            break
        for kind in list(roads)[:: 1 if number % 2 else -1]:  # nobody is always the last
            road = roads[kind]
            pids = {**road.pids, "sink": sink}
            before = processes.cpu(pids)
            rate = await work(road)
            await _folded(road)
            cost = processes.spent(before, processes.cpu(pids))
            if number:  # the first is for warming up
                spent[kind].append(Spent(cost, cost.pop("sink"), rate))
    return spent


def _compared(what: str, spent: dict[str, list[Spent]]) -> Iterator[Figure]:
    pairs = list(zip(spent["on"], spent["off"], strict=True))
    more = [100 * (on.share / off.share - 1) for on, off in pairs]
    where = [{name: on.ours[name] - off.ours[name] for name in off.ours} for on, off in pairs]
    cpu = {
        kind: 1000 * statistics.median(each.waited_for for each in some)
        for kind, some in spent.items()
    }
    name = f"{what}: CPU with telemetry"
    yield Figure.median(name, more, "% more", need=COSTS, parts=cpu, cpu=where)
    rates = {kind: statistics.median(each.rate for each in some) for kind, some in spent.items()}
    less = [100 * (1 - on.rate / off.rate) for on, off in pairs]
    yield Figure.median(f"{what}: copies a second", less, "% less", parts=rates)


async def _one(list_: str, members: int, road: Road) -> float:
    """One post to everybody."""
    accounts = await road.accounts()
    event = await road.store(mail(f"{next(_numbers)}.all", list_))
    await road.receive(event)
    end = await accounts.reach(members, patience=600)
    return members / (end - await road.routed_at(event))


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
