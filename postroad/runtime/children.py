"""What child processes are given on their way: an end with ours, and coarse timers."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_TIMERSLACK = 29
COARSE = 5_000_000  # nanoseconds


def die_with_parent() -> None:
    """For `preexec_fn`: ask Linux to end this child when its parent dies, even by SIGKILL."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def coarse_timers() -> None:
    """For `preexec_fn` of a Go program: its sleeps may last 5 ms longer (prctl(2)).

    A busy Go runtime looks after its threads every 20 us, and each look is a timer interrupt: a
    third of the broker's CPU time while posts pass (0.28 to 0.19 s for 200), with disks that sync
    in 0.1 ms as with such that take 2 ms. As systemd's TimerSlackNSec=.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, COARSE, 0, 0, 0)
