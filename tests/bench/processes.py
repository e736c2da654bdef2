"""What the processes of a running Postroad cost: memory and CPU time, from /proc (Linux).

Elsewhere a scenario that asks for memory is skipped, and CPU time is not told.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

PROC = Path("/proc")
_SCHEDULED = 2  # of a process's clocks the one that has nanoseconds: clock_getcpuclockid(3)
MB = 1024.0  # /proc tells kB


def pss(pid: int) -> float:
    """Proportional set size in MB: shared pages are divided among those who share them."""
    return _value(PROC / str(pid) / "smaps_rollup", "Pss:")


def peak_rss(pid: int) -> float:
    """The most resident memory a process ever had, in MB."""
    return _value(PROC / str(pid) / "status", "VmHWM:")


def below(pid: int) -> list[int]:
    """The processes that a process has started, or was given."""
    threads = (PROC / str(pid) / "task").iterdir()
    return [int(each) for thread in threads for each in (thread / "children").read_text().split()]


def cpu(pids: Mapping[str, int]) -> dict[str, float]:
    """Seconds of CPU each process has used."""
    return {name: _cpu(pid) for name, pid in pids.items() if (PROC / str(pid)).exists()}


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Seconds of CPU each process used in between."""
    return {name: after[name] - before[name] for name in before if name in after}


def _cpu(pid: int) -> float:
    return time.clock_gettime(~pid << 3 | _SCHEDULED)


def _value(file: Path, name: str) -> float:
    if not PROC.exists():
        pytest.skip("memory is read from /proc: Linux is needed")
    for line in file.read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / MB
    raise LookupError(f"{file} has no {name}")
