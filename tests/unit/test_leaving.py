"""How our programs end."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAD = "import atexit, os, sys, threading, time; from postroad.runtime.leaving import leave\n"


def ended(code: str) -> subprocess.CompletedProcess[str]:
    """Run this to its end."""
    words = [sys.executable, "-c", HEAD + code]
    return subprocess.run(words, text=True, check=False, capture_output=True)


def test_all_is_done_that_python_does() -> None:
    """What is still in a buffer is written, threads are waited for, functions that are to be called
    at the end are, the last one first, and the exit code is that which was asked for."""
    done = ended(
        "atexit.register(print, 'second'); atexit.register(print, 'first')\n"
        "thread = threading.Thread(target=lambda: (time.sleep(0.05), print('thread')))\n"
        "thread.start(); print('err', end='', file=sys.stderr); leave(3)"
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "thread\nfirst\nsecond\n", "err")


@pytest.mark.parametrize("close", ["os.close(1)", "sys.stdout.close()", "sys.stdout = None"])
def test_where_nothing_can_be_written_it_ends_as_python_does(close: str) -> None:
    """A program whose output is gone ends, and with no code of success that it did not have."""
    done = ended(f"print('x'); {close}; leave(3)")
    assert done.returncode in (3, 120)


def test_who_measures_it_has_its_say() -> None:
    """A profiler that runs it hears of its end, and prints what it found."""
    done = ended("import cProfile; cProfile.run('leave(0)')")
    assert (done.returncode, "function calls" in done.stdout) == (0, True), done.stdout
