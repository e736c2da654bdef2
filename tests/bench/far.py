"""A relay 10 ms away, personal copies: one sender process, then two.

The sink is smtp-sink behind tests.peers.farside. smtp-source, which waits for each reply, has as
many connections there as one sender. How a post is timed stands in tests.bench.fanouts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from statistics import median

from postroad.runtime.config import Relay
from tests.bench.fanouts import rounds
from tests.bench.figures import Figure
from tests.bench.road import Road
from tests.bench.yardsticks import Bound, source_rate
from tests.peers.farside import far_side
from tests.peers.smtpsink import SmtpSink

MEMBERS = 30_000  # some eight chunks a connection, so that the last ones do not count for much
LIST = "far@example.org"
MS = 10
CONNECTIONS = Relay(name="", host="").connections  # the ceiling, by default
TIMES = 3


async def measure() -> AsyncIterator[Figure]:
    """The rate of one sender, and of two."""
    async with (
        SmtpSink.start() as sink,
        far_side(sink.port, MS) as port,
        Road.start(port) as road,
    ):
        await road.seed(LIST, MEMBERS)
        yardstick = partial(source_rate, port, 1_000, sessions=CONNECTIONS)
        one = await rounds(road, LIST, MEMBERS, yardstick, times=TIMES)
        need = Bound(2_000, at_least=True)
        yield one.per_second(f"relay {MS} ms away, one sender", need)
        async with road.another("sender"):
            two = await rounds(road, LIST, MEMBERS, yardstick, times=TIMES)
        need = Bound(round(1.7 * median(one.rates)), at_least=True)
        yield two.per_second(f"relay {MS} ms away, two senders", need)
