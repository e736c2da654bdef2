"""How far the projector is behind while copies leave: a post to 100,000, a copy each, with all that
`postroad up` runs.

Every 0.2 s the last sequence of the ledger is looked up, and how far the projector is. It is behind
by the age of the first entry that it has not stored, as far as these looks tell; the most of each
post counts. The projector runs at nice 10, so this is also what a busy machine leaves it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from postroad.runtime.broker import Broker
from postroad.runtime.rollcall import rollcall
from tests.bench import processes
from tests.bench.fanouts import Rounds
from tests.bench.figures import Figure
from tests.bench.road import Road
from tests.bench.yardsticks import Bound
from tests.e2e.system import until
from tests.peers.smtpsink import SmtpSink

MEMBERS = 100_000
LIST = "all@example.org"
TIMES = 3
LOOK = 0.2  # seconds


async def measure() -> AsyncIterator[Figure]:
    """The most seconds behind, copies a second meanwhile, and the projector's memory."""
    async with SmtpSink.start() as sink, Road.start(sink.port) as road:
        await road.seed(LIST, MEMBERS, "mode=personal")
        made, most = Rounds(MEMBERS), []
        for _ in range(TIMES):
            watch = Watch(road.broker)
            watching = asyncio.create_task(watch.run())
            await made.post(road, LIST)
            await until(watch.through, "the projector has folded the ledger", patience=120.0)
            watching.cancel()
            most.append(watch.most)
        yield Figure.median(
            f"projector behind, {MEMBERS:,} copies leaving", most, "s", need=Bound(2), cpu=made.cpu
        )
        yield made.per_second("copies that left meanwhile", Bound(10_000, at_least=True))
        peak = processes.peak_rss(road.pids["projector"])
        yield Figure.median("projector's peak memory, a fan-out", [peak], "MB", need=Bound(400))


class Watch:
    """Looks at one post; `most` is how many seconds the projector was behind."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.most = 0.0
        self._looks: list[tuple[float, int]] = []  # when, and the last sequence then

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.through()
            await asyncio.sleep(LOOK)

    async def through(self) -> bool:
        """Look once: whether the projector has stored all that there is."""
        at = time.monotonic()
        info = await self.broker.api("STREAM.INFO.DELIVERY")
        self._looks.append((at, info["state"]["last_seq"]))
        position = await self._position()
        self._looks = [look for look in self._looks if look[1] > position]
        if self._looks:
            self.most = max(self.most, time.monotonic() - self._looks[0][0])
        return not self._looks

    async def _position(self) -> int:
        for report in await rollcall(self.broker, ("projector",)):
            for fact in report.facts:
                if (fact.kind, fact.name) == ("stream", "DELIVERY"):
                    return int(fact.facts["position"])
        return 0
