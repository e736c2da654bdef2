"""kill -9 of the supervisor itself."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.e2e.installation import Installation

pytestmark = pytest.mark.e2e


def test_a_killed_supervisor_leaves_nothing_behind(tmp_path: Path):
    """Services and broker end with their supervisor, however it ends, and whatever comes next
    has the broker to itself, with all that was stored."""
    with Installation.at(tmp_path, mail=False) as ours, ours.up() as up:
        ours.json("list", "create", "team@lists.example.org")
        assert up.stop(signal.SIGKILL) == -signal.SIGKILL
        assert ours.gone()
        assert [row["address"] for row in ours.json("list", "ls")] == ["team@lists.example.org"]
