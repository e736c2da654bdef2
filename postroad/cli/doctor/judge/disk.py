"""The disk of state_dir: whether what is synced is kept, and how long a sync takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from postroad.cli.doctor.checks import REMEDIES
from postroad.cli.doctor.finding import Finding, failed, ok, skipped, warning
from postroad.cli.doctor.judge.machine import HERE

INODES = 1_000  # free, below which files can soon be made no more
TOO_FAST = 10e-6  # seconds: no disk syncs so quickly
SLOW = 0.020  # a mail waits for some five syncs, one after the other

_VOLATILE = ("tmpfs", "ramfs")
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs")
_LAYERS = ("overlay", "aufs")
_LYING = ("nobarrier", "barrier=0")


@dataclass(frozen=True)
class Disk:
    """The file system of a folder: its kind ("" where nobody says), mount options, free inodes
    (None where it counts none). `muted`: a library that makes fsync do nothing is loaded."""

    path: str
    kind: str
    options: frozenset[str] = frozenset()
    inodes: int | None = None
    muted: bool = False


def disk(facts: Disk) -> list[Finding]:
    """What of the file system may lose mail that it said to have, a row each."""
    found = []
    where, move = f"{facts.path} is on {facts.kind}", REMEDIES["disk"]
    if facts.muted:
        what = "fsync does nothing here: libeatmydata is loaded, and a power cut loses mail"
        found.append(failed("disk", HERE, what, "start it without LD_PRELOAD"))
    if facts.kind in _VOLATILE:
        found.append(failed("disk", HERE, f"{where}, which is memory: all is lost at a boot", move))
    elif facts.kind in _LAYERS:
        what = f"{where}, which goes with its container"
        found.append(warning("disk", HERE, what, "mount a volume at state_dir"))
    elif facts.kind in _NETWORK or facts.kind.startswith("fuse"):
        what = f"{where}: its locks and syncs are as good as whoever serves it"
        found.append(warning("disk", HERE, what, move))
    for option in sorted(facts.options & {*_LYING}):
        what = f"{where}, mounted with {option}: what is synced may be lost in a power cut"
        found.append(failed("disk", HERE, what, f"mount it without {option}"))
    if facts.inodes is not None and facts.inodes < INODES:
        what = f"{where} with {facts.inodes:,} inodes left: no files can be made soon"
        remedy = "delete small files there (df -i), or make a file system with more"
        found.append(failed("disk", HERE, what, remedy))
    inodes = f", {facts.inodes:,} inodes free" if facts.inodes is not None else ""
    return found or [ok("disk", HERE, f"{facts.kind or 'of a kind that nobody tells'}{inodes}")]


def fsync(path: str, seconds: Sequence[float], problem: str) -> Finding:
    """How long syncs of a nameless file at `path` took; `problem` says why none was made."""
    if problem:
        return skipped("fsync", HERE, f"{path}: {problem}", "mend state first")
    usual, worst = median(seconds), max(seconds)
    told = f"{_time(usual)} for a sync, {_time(worst)} at most"
    if usual < TOO_FAST:
        what = f"{_time(usual)} for a sync: no disk is so fast, so it does not wait for one"
        return warning("fsync", HERE, what, "use a disk that keeps what is synced")
    if usual > SLOW:
        return warning("fsync", HERE, f"{told}: mail waits for that", REMEDIES["fsync"])
    return ok("fsync", HERE, told)


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.2g} ms" if seconds >= 1e-4 else f"{seconds * 1e6:.2g} us"
