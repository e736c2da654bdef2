"""The sender is told to stop in the middle of a fan-out."""

from __future__ import annotations

import time
from pathlib import Path

from tests.e2e.sending import sending
from tests.peers.checker import Post, check
from tests.peers.sink import Rule, Script

LANES, WINDOW, CHUNKS, SIZE = 4, 8, 5, 60
COPIES = 40
SLOW = Script(rules=(Rule(at="dot", delay=0.05),))  # a chunk takes 3 s, a window 0.4 s
RELAY = {"connections": str(LANES), "window": str(WINDOW)}


async def test_open_windows_finish_and_the_rest_is_handed_back(tmp_path: Path) -> None:
    """SIGTERM ends it after the windows that are open, not after their chunks; whoever comes next
    sends the rest: everybody gets one copy, and nobody's is in doubt."""
    async with sending(tmp_path, SLOW, RELAY) as here:
        ref = await here.post(1)
        queued = [await here.queue(ref, number, SIZE) for number in range(CHUNKS)]
        await here.sink.wait_for(COPIES)
        began = time.monotonic()
        await here.road.stop("sender")
        took, had = time.monotonic() - began, len(here.sink.records())
        assert had < COPIES + 2 * LANES * WINDOW
        await here.road.run("sender")
        await here.finished(CHUNKS)
        everyone = frozenset(address for chunk in queued for address in chunk)
        report = check(here.sink.records(), [Post("<1@posts>", everyone)])
        assert (len(report.lost), report.extra, len(report.unexpected)) == (0, 0, 0), report
        assert not await here.marked()
        print(f"\nstopped in {took:.2f} s with {had} of {CHUNKS * SIZE} copies out")
