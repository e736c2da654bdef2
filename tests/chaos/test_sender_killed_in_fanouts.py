"""kill -9 of the sender, again and again, in the middle of fan-outs to thousands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.rounds import LANES, Round
from tests.e2e.sending import sending
from tests.peers.checker import Post, check
from tests.peers.sink import Rule, Script

pytestmark = pytest.mark.chaos
FULL = os.environ.get("POSTROAD_CHAOS") == "all"
KILLS, CHUNKS = (20, 80) if FULL else (2, 32)
SIZE, SHARE = 125, 100
SLOW = Script(rules=(Rule(at="dot", delay=0.003),))
SLOW_SHARED = Script(rules=(Rule(at="dot", delay=0.3),))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("personal", [True, False], ids=["personal", "shared"])
async def test_little_is_doubled_by_any_number_of_kills(tmp_path: Path, personal: bool) -> None:
    """Nobody of thousands is lost; a kill doubles a message a lane at most, and all that is doubled
    is marked in the ledger."""
    relay = {"connections": str(LANES), "recipients_per_transaction": str(SHARE)}
    async with sending(tmp_path, SLOW if personal else SLOW_SHARED, relay) as here:
        ref = await here.post(1)
        everyone: list[str] = []
        for number in range(CHUNKS):
            everyone += await here.queue(ref, number, SIZE, personal=personal)
        for kill in range(1, KILLS + 1):
            await here.sink.wait_for(kill * len(everyone) // (KILLS + 1))
            await here.road.kill("sender")
            await here.road.run("sender")
        await here.finished(CHUNKS)
        report = check(here.sink.records(), [Post("<1@posts>", frozenset(everyone))])
        assert {recipient for _, _, recipient in report.duplicates} <= set(await here.marked())
        mode, share = ("personal", 1) if personal else ("shared", SHARE)
        Round(f"sender killed in a {mode} fan-out", report, KILLS, KILLS * share).judge()
