"""kill -9 of the broker, again and again, while posts keep coming."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.chaos.rounds import pass_
from tests.chaos.traffic import Traffic
from tests.e2e.system import world

pytestmark = pytest.mark.chaos
FULL = os.environ.get("POSTROAD_CHAOS") == "all"
KILLS = 200 if FULL else 3
PEOPLE = [f"m{n}@d{n % 5}.example.net" for n in range(20)]
RECOVERED = 3.0  # seconds, at the 99th percentile


@pytest.mark.timeout(3600 if FULL else 300)
async def test_nothing_is_lost_or_doubled_and_mail_flows_again_soon(tmp_path: Path) -> None:
    """Every copy once, and a post that is made right after a kill has left within seconds."""
    dice = random.Random(8)
    took: list[float] = []
    async with world(tmp_path, relay={"connections": "4"}) as here:
        team = "team@example.org"
        await here.road.make_list(team, PEOPLE)
        traffic = Traffic(here.dovecot, here.sink, team, PEOPLE, rate=8)
        async with traffic.flowing():
            for _ in range(KILLS):
                await pass_(dice.uniform(0.05, 1.0))
                await here.road.kill_broker()
                took.append(await traffic.one_arrives())
        report = await traffic.arrived()
        await here.road.settled(len(traffic.posted), 120)
        took.sort()
        half, most = took[len(took) // 2], took[int(len(took) * 0.99)]
        print(
            f"\n{KILLS} kills of the broker: {report.counts}; a post arrives again after "
            f"{half:.2f} s (median), {most:.2f} s (p99), {took[-1]:.2f} s (worst); the slowest: "
            + " ".join(f"{seconds:.2f}" for seconds in took[-8:])
        )
        assert report.exact, report
        if FULL:
            assert most <= RECOVERED
