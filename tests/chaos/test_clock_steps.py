"""The clock of the machine is set, far forward and back, while posts keep coming."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.chaos.rounds import pass_
from tests.chaos.underway import TEAM, underway
from tests.peers import faketime

pytestmark = pytest.mark.chaos
STEPS = ("+30d", "-1h", "+0")


@pytest.mark.timeout(600)
@faketime.needed
async def test_every_post_arrives_once_and_what_waits_still_waits(tmp_path: Path) -> None:
    """30 days forward, then an hour back of what it was, then right again: nothing is lost,
    doubled or deleted early, and a mail that is held still is."""
    clock = tmp_path / "clock"
    clock.write_text("+0")
    async with underway(tmp_path, rate=3, environ=faketime.followed(clock)) as here:
        run, traffic = here.ours.run, here.traffic

        async def command(*words: str) -> str:
            done = await asyncio.to_thread(run, *words)
            assert done.returncode == 0, done.stderr
            return done.stdout

        await command("list", "set", TEAM, "emergency=true")
        held = traffic.post()
        traffic.posted.remove(held)
        await asyncio.to_thread(here.ours.shows, f"post {held}", "held", "ls")
        await command("list", "set", TEAM, "emergency=false")
        async with traffic.flowing():
            for step in STEPS:
                await pass_(8)
                clock.write_text(step)
                await traffic.one_arrives()
            await pass_(8)
        report = await traffic.arrived()
        await here.well()
        print(f"\n{report.counts}")
        assert report.exact, report
        assert f"post {held}" in await command("held", "ls")
        stored = await command("post", "ls", "--limit", "1000", "--json")
        assert all(f'"post {number}"' in stored for number in traffic.posted)
