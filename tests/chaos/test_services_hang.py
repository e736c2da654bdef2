"""Processes that are alive and answer nothing, as `kill -STOP` makes them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from postroad.runtime.condition import Status
from tests.e2e.installation import Installation, pid_of


@pytest.mark.chaos
@pytest.mark.timeout(400)
def test_who_hangs_is_told_and_started_again(tmp_path: Path) -> None:
    """Every service of the road stopped at once is told, killed after a minute and started again;
    so is the embedded broker, of whose silence no service is accused."""
    with Installation.at(tmp_path, mail=False) as ours, ours.up():
        before = ours.until(lambda found: found.state != "down", "all run")
        pids = {stage.stage: pid_of(before, stage.stage) for stage in before.stages}
        for pid in pids.values():
            os.kill(pid, signal.SIGSTOP)
        told = ours.until(lambda found: "no answer for 30 s" in str(found.problems), "told")
        assert told.state == "down"

        def back(found: Status) -> bool:
            return all(
                stage.state == "healthy" and pid_of(found, stage.stage) != pids[stage.stage]
                for stage in found.stages
            )

        after = ours.until(back, "all are back")
        assert all(stage.restarts == 1 for stage in after.stages)
        (server,) = ours.processes("nats-server")
        os.kill(server, signal.SIGSTOP)
        again = ours.until(lambda found: found.broker.restarts == 1, "the broker is back")
        assert all(stage.restarts == 1 for stage in again.stages)
