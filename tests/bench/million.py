"""A list of a million members, shared copies: the time of a post, and the memory of each process.

The members are put into PEOPLE and MEMBERSHIP as an import puts them there, without the import's
decisions, which would take some minutes. How a post is timed stands in tests.bench.fanouts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from tests.bench.fanouts import rounds
from tests.bench.figures import Figure
from tests.bench.large import LARGE, PER_TRANSACTION, peak
from tests.bench.road import Road
from tests.bench.yardsticks import Bound, source_rate
from tests.peers.smtpsink import SmtpSink

MEMBERS = 1_000_000
LIST = "million@example.org"
TIMES = 3


async def measure() -> AsyncIterator[Figure]:
    """The members, then posts to them."""
    async with SmtpSink.start() as sink, Road.start(sink.port) as road:
        pids = {**road.pids, "smtp-sink": sink.daemon.pid}
        seconds = await road.seed(LIST, MEMBERS, "mode=shared")
        yield Figure.median(f"{MEMBERS:,} members stored and folded", [seconds], "s")
        yardstick = partial(source_rate, sink.port, LARGE // PER_TRANSACTION, PER_TRANSACTION)
        made = await rounds(road, LIST, MEMBERS, yardstick, pids, times=TIMES)
        yield made.in_all(f"{MEMBERS:,} recipients, shared", Bound(12))
        yield peak(road, f"{MEMBERS:,}", Bound(300))
