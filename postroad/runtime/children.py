"""What child processes are given on their way: an end with ours, a name, and coarse timers."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_TIMERSLACK = 29
_PR_SET_CHILD_SUBREAPER = 36
_ARG_START, _ARG_END = 45, 46  # among the fields of /proc/self/stat behind the name (proc(5))
COARSE = 5_000_000  # nanoseconds


def die_with_parent() -> None:
    """For `preexec_fn`: ask Linux to end this child when its parent dies, even by SIGKILL."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def apart() -> None:
    """The same, and a process group of its own: Ctrl-C reaches the parent alone."""
    os.setpgid(0, 0)
    die_with_parent()


def coarse_timers() -> None:
    """For `preexec_fn` of a Go program: its sleeps may last 5 ms longer (prctl(2)).

    A busy Go runtime looks after its threads every 20 us, and each look is a timer interrupt: a
    third of the broker's CPU time while posts pass (0.28 to 0.19 s for 200), with disks that sync
    in 0.1 ms as with such that take 2 ms. As systemd's TimerSlackNSec=.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, COARSE, 0, 0, 0)


def adopt(*, on: bool) -> bool:
    """From now on, whoever is below us and loses its parent becomes our child, or not any more.
    Returns whether this system (Linux) can do that."""
    if sys.platform != "linux":
        return False
    return not ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)


def appear_as(words: Sequence[str]) -> None:
    """Have these words shown as our command line, by ps and in /proc, as far as there is room: they
    are written over those that we were started with (Linux)."""
    with contextlib.suppress(OSError):
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
        if room := end - start:
            line = b"\0".join(map(os.fsencode, words))[: room - 1]
            ctypes.memmove(start, line.ljust(room, b"\0"), room)
