"""kill -9 of the supervisor itself."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.e2e.installation import Installation

pytestmark = pytest.mark.e2e


def test_a_killed_supervisor_leaves_nothing_behind(tmp_path: Path):
    """Services and broker end with their supervisor, however it ends, and the next `postroad up`
    starts as if nothing had been."""
    with Installation.at(tmp_path, mail=False) as ours:
        with ours.up() as up:
            assert up.stop(signal.SIGKILL) == -signal.SIGKILL
            assert ours.gone()
        with ours.up() as again:
            assert again.stop() == 0
