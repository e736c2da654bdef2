"""Pages of docs/operators followed until all is well: analytics that are damaged, a service that
dies again and again, a clock that is wrong."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from tests.chaos.runbook import DO, operated
from tests.peers import faketime
from tests.peers.timeserver import TimeServer

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]


async def test_the_analytics_cannot_be_used(tmp_path: Path) -> None:
    """A file that was overwritten is moved aside and made anew; the page leads to tables that are
    what the streams say, while posts go on."""
    async with operated(tmp_path) as operator:
        os.truncate(tmp_path / "state" / "analytics.duckdb", 4_096)
        operator.here.traffic.post()
        notice = await operator.told("analytics", "moved aside")
        page = operator.lands("analytics-failing", notice, await operator.says("was moved aside"))
        said = await operator.follow(page, DO)
        assert "was moved aside" in said["postroad status"].stdout
        assert not list((tmp_path / "state").glob("analytics.duckdb.corrupt-*"))
        assert (await operator.here.traffic.arrived()).exact
        known = await operator.knows(page)
        assert "all is the same" in known["postroad verify"].stdout
        assert "analytics: up to date" in known["postroad status"].stdout
        await operator.told("analytics", state="cleared")


async def test_a_service_dies_again_and_again(tmp_path: Path) -> None:
    """A roster that cannot be opened is moved away as the page says; what waited before the
    service goes out once."""
    async with operated(tmp_path) as operator:
        await operator.stop()
        roster = tmp_path / "state" / "roster.duckdb"
        for each in roster.parent.glob("roster.duckdb*"):
            each.unlink()
        roster.mkdir()
        await operator.start()
        operator.here.traffic.post()
        notice = await operator.told("crashing", "membership")
        seen = await operator.says("membership keeps dying")
        page = operator.lands("service-crashing", notice, seen)
        said = await operator.follow(page, DO)
        (log,) = (done.stdout for line, done in said.items() if "journalctl" in line)
        assert "service.crash_looping" in log
        assert (await operator.here.traffic.arrived()).exact
        await operator.knows(page)
        await operator.told("crashing", state="cleared")


def _set(clock: Path, offset: str) -> None:
    clock.write_text(offset)


@faketime.needed
@pytest.mark.parametrize("offset", ["+2h", "-2h"])
async def test_the_clock_is_wrong(tmp_path: Path, offset: str) -> None:
    """A clock that is set wrong is told by doctor and status; set right as the page says, posts go
    on, each once."""
    clock = tmp_path / "clock"
    _set(clock, "+0")
    async with TimeServer.start() as times:
        environ = {**faketime.followed(clock), "POSTROAD_NTP": times.address}
        async with operated(tmp_path, environ=environ) as operator:
            operator.machine["timedatectl set-ntp true"] = partial(_set, clock, "+0")
            operator.machine["POSTROAD_NTP="] = lambda: None  # no other time server here
            _set(clock, offset)
            operator.here.traffic.post()
            page = operator.lands("clock-wrong", await operator.says("clock is"))
            said = await operator.follow(page, DO)
            assert said["postroad doctor --only clock"].returncode == 1
            operator.here.traffic.post()
            assert (await operator.here.traffic.arrived()).exact
            await operator.knows(page)
