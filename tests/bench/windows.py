"""What a larger window brings, and what it costs: personal copies with window = 1, 4, 16, 64.

The ledger is written once a window, so a larger one is faster; a crash may repeat the open window
of each connection, so it may repeat more. One relay a window, all of them the same smtp-sink, and
one list each; the windows take turns. How a post is timed stands in tests.bench.fanouts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from postroad.runtime.config import Relay
from tests.bench.fanouts import ROUNDS, Rounds
from tests.bench.figures import Figure
from tests.bench.road import Road
from tests.bench.yardsticks import source_rate
from tests.peers.smtpsink import SmtpSink

WINDOWS = (1, 4, 16, 64)
MEMBERS = 10_000
RELAY = """
[[relay]]
name = "w{0}"
host = "127.0.0.1"
port = {1}
tls = "none"
window = {0}
[[domain]]
name = "w{0}.example.org"
relay = "w{0}"
"""


async def measure() -> AsyncIterator[Figure]:
    """Messages a second, and how many copies a crash may repeat at most."""
    async with SmtpSink.start() as sink:
        relays = "".join(RELAY.format(window, sink.port) for window in WINDOWS)
        async with Road.start(sink.port, relays=relays) as road:
            for window in WINDOWS:
                await road.seed(_list(window), MEMBERS)
            yardstick = partial(source_rate, sink.port, MEMBERS)
            made = {window: Rounds(MEMBERS) for window in WINDOWS}
            for _ in range(ROUNDS):
                for window, posts in made.items():
                    await posts.post(road, _list(window), yardstick)
    lanes = Relay(name="", host="").connections
    for window, posts in made.items():
        bound: dict[str, float] = {
            f"copies a crash may repeat ({lanes} x {window})": lanes * window
        }
        yield posts.per_second(f"{MEMBERS:,} personal, window = {window}", parts=bound)


def _list(window: int) -> str:
    return f"all@w{window}.example.org"
