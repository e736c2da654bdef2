"""Pages of docs/operators followed until all is well: a full disk, a broker that will not start,
a stream that went back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.rounds import judge
from tests.chaos.runbook import DO, Operator, operated
from tests.chaos.underway import LANES, PEOPLE, TEAM
from tests.peers.loopdisk import LoopDisk

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]
STORE = "broker/jetstream/jetstream/$G/streams/MEMBERSHIP/msgs"


@contextlib.contextmanager
def _small(state: Path, what: str) -> Iterator[LoopDisk]:
    """A disk that is soon full, for all of `state` or for the broker's part of it."""
    state.mkdir()
    with contextlib.ExitStack() as stack:
        disk = stack.enter_context(LoopDisk.at(state, megabytes=512 if what == "state" else 2048))
        state.chmod(0o700)
        if what == "broker":
            disk = stack.enter_context(LoopDisk.at(state / "broker", megabytes=512))
        yield disk


@pytest.mark.parametrize(("what", "alarm"), [("state", "disk"), ("broker", "storage")])
async def test_a_disk_is_full(tmp_path: Path, what: str, alarm: str) -> None:
    """The alarm, of the disk or of a broker with one of its own, and status lead to the page; what
    waits goes out by itself once there is room."""
    with _small(tmp_path / "state", what) as disk:
        async with operated(tmp_path) as operator:
            traffic = operator.here.traffic
            disk.fill()
            traffic.post()
            seen = await operator.says("make room")
            page = operator.lands("disk-nearly-full", seen, await operator.told(alarm))
            said = await operator.follow(page, DO, blocks=[0])
            (doctor,) = (done for line, done in said.items() if "doctor" in line)
            assert doctor.returncode == 1, doctor
            disk.free()
            judge(await traffic.arrived(), LANES)
            await operator.knows(page)
            await operator.told(alarm, state="cleared")


async def _backed_up(operator: Operator) -> None:
    done = await operator.run("postroad backup /mnt/backups/postroad")
    assert done.returncode == 0, done


async def test_the_broker_will_not_start(tmp_path: Path) -> None:
    """A store that is no directory is laid aside, the backup put back, and what came meanwhile
    goes out once Postroad may go on; nobody gets a second copy of what had been sent."""
    async with operated(tmp_path) as operator:
        here = operator.here
        await _backed_up(operator)
        await operator.stop()
        store = tmp_path / "state" / "broker" / "jetstream"
        store.rename(tmp_path / "lost")
        store.write_text("overwritten")
        here.traffic.post()
        place = here.log.stat().st_size
        await operator.start()
        page = operator.lands("broker-will-not-start", here.log.read_text()[place:])
        said = await operator.follow(page, DO)
        doctor = next(done for line, done in said.items() if "doctor" in line)
        assert doctor.returncode == 1, doctor
        assert (await here.traffic.arrived()).exact
        await operator.knows(page)


async def _goes_back(operator: Operator) -> None:
    """MEMBERSHIP loses a block while nothing runs."""
    await operator.stop()
    for block in (operator.here.ours.home / "state" / STORE).glob("*.blk"):
        with block.open("r+b") as file:
            file.write(b"\xff" * 32)
    operator.here.traffic.post()
    await operator.start()


async def test_a_stream_went_back_and_there_is_a_backup(tmp_path: Path) -> None:
    """All stands still until the backup is put back; then the post that waited goes to everybody,
    and nobody gets a second copy of the one before."""
    async with operated(tmp_path) as operator:
        await _backed_up(operator)
        await _goes_back(operator)
        notice = await operator.told("streams", "has gone back")
        page = operator.lands("stream-gone-back", notice, await operator.says("has gone back"))
        said = await operator.follow(page, DO, blocks=[0, 1])
        assert said["postroad verify"].returncode == 1
        assert (await operator.here.traffic.arrived()).exact
        await operator.knows(page)


async def test_a_stream_went_back_and_there_is_no_backup(tmp_path: Path) -> None:
    """What is left is gone on with by the command of the page; who is put onto the list again has
    each post once."""
    async with operated(tmp_path) as operator:
        await _goes_back(operator)
        notice = await operator.told("streams", "has gone back")
        page = operator.lands("stream-gone-back", notice)
        await operator.follow(page, DO, blocks=[0, 2])
        done = await operator.run(f"postroad member add {TEAM} {' '.join(PEOPLE)} --confirmed")
        assert done.returncode == 0, done
        operator.here.traffic.post()
        assert (await operator.here.traffic.arrived([0, 2])).exact
        await operator.knows(page)
