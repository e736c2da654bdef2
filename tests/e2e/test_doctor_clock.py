"""`postroad doctor` on clock and disk: what is measured here, and what it makes of others'."""

from __future__ import annotations

from pathlib import Path

import pytest

from postroad.cli.doctor.judge.clock import Reading, clock
from postroad.cli.doctor.judge.disk import Disk, disk, fsync
from tests.e2e.examined import check
from tests.peers.timeserver import TimeServer

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("ahead", "state", "words"),
    [
        (0.0, "ok", "within"),
        (-30.0, "warning", "30 s fast"),
        (7200.0, "failed", "2.0 hours slow"),
    ],
)
async def test_clock_beside_a_time_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: float, state: str, words: str
) -> None:
    """The clock is compared with a time server's, and by how much it is wrong is said."""
    async with TimeServer.start(ahead) as times:
        monkeypatch.setenv("POSTROAD_NTP", times.address)
        found = await check("clock", tmp_path)
    assert (found.state, words in found.finding) == (state, True), found


async def test_clock_that_nobody_answers_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without another clock nothing is said to be well, but by the kernel's word."""
    monkeypatch.setenv("POSTROAD_NTP", "")
    assert (await check("clock", tmp_path)).state in ("skipped", "ok")
    assert clock([], 0.0, kept=False).state == "skipped"
    assert clock([], 0.0, kept=True).state == "ok"


def test_clock_that_was_set_back() -> None:
    """Mail that was stored in the future tells that the clock was set back, whoever else agrees;
    one clock among three that is wrong is not believed."""
    right = [Reading("a", 0.0), Reading("b", 0.1), Reading("c", 9_000.0)]
    assert clock(right, -5.0, kept=None).state == "ok"
    assert clock(right, 3_600.0, kept=None).state == "failed"


@pytest.mark.parametrize(
    ("facts", "state", "words"),
    [
        (Disk("/s", "ext4", inodes=10**6), "ok", "ext4"),
        (Disk("/s", "tmpfs"), "failed", "memory"),
        (Disk("/s", "overlay"), "warning", "container"),
        (Disk("/s", "nfs4"), "warning", "locks"),
        (Disk("/s", "fuse.sshfs"), "warning", "locks"),
        (Disk("/s", "ext4", frozenset({"rw", "nobarrier"})), "failed", "nobarrier"),
        (Disk("/s", "ext4", inodes=12), "failed", "12 inodes"),
        (Disk("/s", "ext4", muted=True), "failed", "libeatmydata"),
        (Disk("/s", "btrfs"), "ok", "btrfs"),
    ],
)
def test_disk_that_does_not_keep_what_it_has(facts: Disk, state: str, words: str) -> None:
    """A file system that is memory, goes with its container, or is mounted so that a sync is none
    is told, and so is one without inodes."""
    (found,) = disk(facts)
    assert (found.state, words in found.finding) == (state, True)


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return [path.name for path in folder.iterdir()]


async def test_fsync_is_measured(tmp_path: Path) -> None:
    """Some syncs are made where the state is, and nothing of them is left."""
    found = await check("fsync", tmp_path)
    assert found.state in ("ok", "warning")
    assert "for a sync" in found.finding
    assert names(tmp_path) == ["postroad.toml"]


@pytest.mark.parametrize(
    ("seconds", "state"), [(1e-6, "warning"), (4e-4, "ok"), (8e-3, "ok"), (0.1, "warning")]
)
def test_fsync_that_lies_or_takes_long(seconds: float, state: str) -> None:
    """A sync that takes no time at all waits for no disk; one that takes long holds up mail."""
    assert fsync("/s", [seconds] * 5, "").state == state
    assert fsync("/s", [], "no space left on device").state == "skipped"
