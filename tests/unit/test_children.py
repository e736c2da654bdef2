"""What a child process is given before its program begins."""

from __future__ import annotations

import subprocess
import sys

import pytest

from postroad.runtime.children import COARSE, coarse_timers

ASK = "import ctypes; print(ctypes.CDLL(None).prctl(30, 0, 0, 0, 0))"  # PR_GET_TIMERSLACK


@pytest.mark.skipif(sys.platform != "linux", reason="timer slack is Linux's")
def test_the_program_of_a_child_has_coarse_timers() -> None:
    """They outlive the exec, so that the embedded broker need not know of them."""
    asked = [sys.executable, "-c", ASK]
    assert int(subprocess.check_output(asked, preexec_fn=coarse_timers)) == COARSE
    assert int(subprocess.check_output(asked)) < COARSE
