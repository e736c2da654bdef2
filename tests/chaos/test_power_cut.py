"""The power goes while posts are on the road: what the disk had is all there is."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.chaos.rounds import judge, pass_
from tests.chaos.underway import LANES, WINDOW, underway
from tests.peers.loopdisk import LoopDisk

pytestmark = pytest.mark.chaos
SEEDS = range(20)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
async def test_what_was_taken_is_not_lost(tmp_path: Path, seed: int) -> None:
    """Everybody gets every mail, those flagged before the cut among them; no more comes twice than
    the windows that were open, and what the cut spoilt mends itself."""
    dice = random.Random(seed)
    with LoopDisk.at(tmp_path / "state", megabytes=512) as disk:
        async with underway(tmp_path, rate=10) as here:
            traffic = here.traffic
            async with traffic.flowing():
                await pass_(dice.uniform(3, 8))
                await here.cut()
                cut = await asyncio.to_thread(disk.cut, tmp_path / "cut.ext4")
            promised = await asyncio.to_thread(traffic.seen)
            assert promised
            await here.end()
            with cut.mounted():
                await here.up()
                report = await traffic.arrived()
                await here.well()
                print(
                    f"\nseed {seed}: {len(promised)} of {len(traffic.posted)} flagged before the "
                    f"cut; {report.counts}, bound {LANES * WINDOW}"
                )
                judge(report, LANES * WINDOW)
                await here.down()
