"""kill -9 of services under the supervisor."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from postroad.runtime.condition import Status
from postroad.runtime.verdict import STAGES
from tests.e2e.installation import Installation, pid_of

pytestmark = pytest.mark.e2e


def test_a_killed_service_is_started_again(tmp_path: Path):
    """Each service that dies by SIGKILL is back within moments, as a new process, and status
    counts its restart; a second death is no crash loop."""
    with Installation.at(tmp_path, mail=False) as ours, ours.up():
        before = ours.until(lambda found: all(pid_of(found, name) for name in STAGES), "all run")
        for name in STAGES:
            os.kill(pid_of(before, name), signal.SIGKILL)

        def back(found: Status) -> bool:
            return found.state != "down" and all(
                stage.state == "healthy" and stage.restarts == 1 for stage in found.stages
            )

        after = ours.until(back, "all are back")
        assert all(pid_of(after, name) != pid_of(before, name) for name in STAGES)
        assert not any("keeps dying" in problem for problem in after.problems)
