"""Nobody listens where the mailbox and the relay should be."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from postroad.runtime.condition import Status
from tests.e2e.installation import Installation

pytestmark = pytest.mark.e2e


def source_failed(found: Status) -> bool:
    return any(peer.ok is False for peer in found.sources)


def test_an_unreachable_mailbox_is_degraded_and_said_plainly(tmp_path: Path):
    """The system runs and says in one sentence which source fails and what happens to its mail;
    the exit code is 1. Ctrl-C ends it as SIGTERM does."""
    with Installation.at(tmp_path, mail=False) as ours, ours.up() as up:
        ours.until(source_failed, "the source was tried")
        found = ours.status()
        assert found["state"] == "degraded"
        assert all(stage["state"] == "healthy" for stage in found["stages"])
        (problem,) = found["problems"]
        assert problem.startswith("source home does not work: ")
        assert "127.0.0.1:1" in problem
        assert "its mail waits on its server" in problem
        assert problem in " ".join(ours.run("status").stdout.split())
        assert up.stop(signal.SIGINT) == 0
        assert ours.gone()
