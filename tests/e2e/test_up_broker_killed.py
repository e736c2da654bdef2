"""kill -9 of the embedded broker under the supervisor."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from postroad.runtime.condition import Status
from postroad.runtime.embedded import access
from postroad.runtime.verdict import STAGES
from tests.e2e.installation import Installation, pid_of

pytestmark = pytest.mark.e2e


def test_a_killed_broker_comes_back_where_it_was(tmp_path: Path):
    """The broker returns on its port with its store, services reconnect without being started
    again, and commands work as before."""
    with Installation.at(tmp_path, mail=False) as ours, ours.up():
        ours.json("list", "create", "team@lists.example.org")
        before = ours.until(lambda found: all(pid_of(found, name) for name in STAGES), "all run")
        reach = access(ours.home / "state")
        (broker,) = ours.processes("nats-server")
        os.kill(broker, signal.SIGKILL)

        def back(found: Status) -> bool:
            return found.broker.restarts == 1 and all(
                stage.state == "healthy" for stage in found.stages
            )

        after = ours.until(back, "the broker and all services are back")
        assert access(ours.home / "state") == reach
        assert [pid_of(after, name) for name in STAGES] == [pid_of(before, name) for name in STAGES]
        assert [row["address"] for row in ours.json("list", "ls")] == ["team@lists.example.org"]
