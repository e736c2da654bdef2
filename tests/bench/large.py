"""Large lists: their import, posts to them in both modes, and a small post among them.

How a post is timed stands in tests.bench.fanouts. An import is `postroad member import` from start
to exit. The sink is Postfix's smtp-sink; `ratio` compares recipients a second with smtp-source's,
in shared mode with 100 recipients a transaction, as we have by default.

A small post is one to a list of one member, put on the road while the copies of a large post are
on their way; from when its `mail.received` is published to its entry in the ledger.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial

from tests.bench import processes
from tests.bench.fanouts import ROUNDS, rounds
from tests.bench.figures import Figure
from tests.bench.road import Road, mail
from tests.bench.yardsticks import Bound, source_rate
from tests.peers.smtpsink import SmtpSink

PER_TRANSACTION = 100
SMALL, LARGE = 10_000, 100_000
ONE = "one@example.org"
APART = 0.5  # seconds between two small posts
PERSONAL = Bound(12_000, at_least=True)
IMPORT = Bound(15)
SHARED = {SMALL: None, LARGE: Bound(1.5)}


async def measure() -> AsyncIterator[Figure]:
    """10,000 and 100,000 recipients, in shared and in personal mode; one among 100,000."""
    async with SmtpSink.start() as sink, Road.start(sink.port) as road:
        pids = {**road.pids, "smtp-sink": sink.daemon.pid}
        many = partial(source_rate, sink.port, LARGE // PER_TRANSACTION, PER_TRANSACTION)
        single = partial(source_rate, sink.port, SMALL)
        for members in (SMALL, LARGE):
            address = f"all{members}@example.org"
            yield await _import(road, address, members)
            await road.cli("list", "set", address, "mode=shared")
            made = await rounds(road, address, members, many, pids)
            yield made.in_all(f"{members:,} recipients, shared", SHARED[members])
            await road.cli("list", "set", address, "mode=personal")
            made = await rounds(road, address, members, single, pids)
            yield made.per_second(f"{members:,} recipients, personal", PERSONAL)
            yield peak(road, f"{members:,}")
        yield await _small_among(road, f"all{LARGE}@example.org", LARGE)


async def _import(road: Road, address: str, members: int) -> Figure:
    before = road.cpu()
    seconds = await road.make_list(address, members)
    cpu = processes.spent(before, road.cpu())
    need = IMPORT if members == LARGE else None
    return Figure.median(f"import of {members:,} members", [seconds], "s", need=need, cpu=[cpu])


async def _small_among(road: Road, large: str, members: int) -> Figure:
    await road.make_list(ONE, 1)
    await road.idle()
    accounts = await road.accounts()
    await road.receive(await road.store(mail("among", large)))
    await accounts.reach(1, exactly=False)
    took = []
    for number in range(ROUNDS):
        event = await road.store(mail(f"among.{number}", ONE))
        began = time.time()
        await road.receive(event)
        took.append((await road.recorded_at(event) - began) * 1000)
        await asyncio.sleep(APART)
    still = members + ROUNDS - accounts.accepted
    await accounts.reach(members + ROUNDS)
    assert still > 0, "the large post was through before the last small one"
    scenario = f"a small post while {members:,} personal copies leave"
    return Figure.median(scenario, took, "ms", need=Bound(250))


def peak(road: Road, members: str, need: Bound | None = None) -> Figure:
    """The most resident memory a process of ours had; shared pages count in each, unlike in PSS.
    The broker's is told apart."""
    peaks = {name: processes.peak_rss(pid) for name, pid in road.pids.items()}
    ours = max(size for name, size in peaks.items() if name != "broker")
    scenario = f"peak memory (RSS) of a service after {members}"
    return Figure.median(scenario, [ours], "MB", parts=peaks, need=need)
