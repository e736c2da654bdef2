"""A mail of 20 MB to a large list: what it does to memory, and how fast the octets leave.

Personal copies to 1,000 members, then shared ones to 10,000: 20 GB and 2 GB through the loopback.
`ratio` compares megabytes a second with those of smtp-source, which sends the same octets over
again from one buffer. How a post is timed stands in tests.bench.fanouts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from tests.bench import processes
from tests.bench.figures import Figure
from tests.bench.large import peak
from tests.bench.road import Road, mail
from tests.bench.yardsticks import SESSIONS, Bound
from tests.peers.smtpsink import SmtpSink, smtp_source

MB = 1_000_000
OCTETS = 20 * MB
PER_TRANSACTION = 100
PATIENCE = 600.0  # seconds


async def measure() -> AsyncIterator[Figure]:
    """Rates, and the most memory each process ever had."""
    async with SmtpSink.start() as sink, Road.start(sink.port) as road:
        for members, mode in ((1_000, "personal"), (10_000, "shared")):
            address = f"{mode}@example.org"
            await road.seed(address, members, f"mode={mode}")
            seconds = await smtp_source(sink.port, messages=50, sessions=SESSIONS, length=OCTETS)
            yardstick = 50 * OCTETS / MB / seconds
            accounts = await road.accounts()
            event = await road.store(_large(address))
            before = processes.cpu(road.pids)
            await road.receive(event)
            end = await accounts.reach(members, PATIENCE)
            cpu = [processes.spent(before, processes.cpu(road.pids))]
            took = end - await road.routed_at(event)
            copies = members if mode == "personal" else members / PER_TRANSACTION
            rate = copies * OCTETS / MB / took
            name = f"20 MB to {members:,} recipients, {mode}"
            yield Figure.median(name, [rate], "MB/s", ratios=[rate / yardstick], cpu=cpu)
        yield peak(road, "20 MB mails", Bound(300))


def _large(address: str) -> bytes:
    small = mail(address, address)
    line = b"abcdefghijklmnopqrstuvwxyz" * 2 + b"0123456789abcdefghijkl\r\n"
    return small + line * ((OCTETS - len(small)) // len(line))
