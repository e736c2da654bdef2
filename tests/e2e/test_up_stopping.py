"""`postroad up` was told to stop, and somebody asks how things are."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from postroad.runtime.condition import Status
from tests.e2e.installation import Installation, pid_of

pytestmark = pytest.mark.e2e


def test_nothing_is_said_to_be_started_again(tmp_path: Path):
    """While services let their work finish, the status says that Postroad is stopping, and how it
    is started; not that the supervisor brings back who has ended."""
    with Installation.at(tmp_path) as ours, ours.up() as up:
        sender = pid_of(ours.until(lambda found: found.state == "healthy", "healthy"), "sender")
        os.kill(sender, signal.SIGSTOP)  # its work takes long
        up.process.send_signal(signal.SIGTERM)

        def stopping(found: Status) -> bool:
            return any(problem.startswith("Postroad is stopping") for problem in found.problems)

        (problem,) = ours.until(stopping, "it is told to be stopping").problems
        assert "start it with `postroad up`" in problem
        os.kill(sender, signal.SIGCONT)
        assert up.process.wait(60) == 0
