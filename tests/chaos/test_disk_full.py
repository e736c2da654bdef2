"""A disk has no room left while posts keep coming, and has some again later."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.chaos.rounds import judge, pass_
from tests.chaos.underway import LANES, Underway, underway
from tests.e2e.system import until
from tests.peers.loopdisk import LoopDisk

pytestmark = pytest.mark.chaos
AGAIN = 60.0  # seconds after there is room until a post arrives


@pytest.mark.timeout(900)
@pytest.mark.parametrize("what", ["state", "broker", "logs"])
async def test_mail_waits_and_goes_on_by_itself(tmp_path: Path, what: str) -> None:
    """Whichever disk is full: nothing is lost, no more is doubled than a message a lane for what
    had to be started again, and mail flows soon after there is room."""
    state = tmp_path / "state"
    place = {"state": state, "broker": state / "broker", "logs": tmp_path / "logs"}[what]
    state.mkdir()
    with LoopDisk.at(place, megabytes=512) as disk:
        log = tmp_path / "logs" / "up.log" if what == "logs" else None
        async with underway(tmp_path, rate=4, log=log) as here:
            traffic = here.traffic
            async with traffic.flowing():
                await traffic.one_arrives()
                disk.fill()
                if what == "logs":
                    await traffic.one_arrives()
                else:
                    await _told(here)
                    await pass_(20)
                disk.free()
                began = time.monotonic()
                await traffic.one_arrives()
                took = time.monotonic() - began
            report = await traffic.arrived()
            await here.well()
            print(f"\n{what} full: {report.counts}; a post arrives {took:.1f} s after")
            judge(report, LANES)
            assert took <= AGAIN


async def _told(here: Underway) -> None:
    """Wait until status says what is wrong, and exits accordingly."""

    async def says() -> bool:
        done = await asyncio.to_thread(here.ours.run, "status")
        return done.returncode > 0 and ("disk" in done.stdout or "room" in done.stdout)

    await until(says, "status tells of the disk")
