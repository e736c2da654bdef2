"""A person is forgotten at the command line, while nothing runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.installation import Installation
from tests.peers.traces import in_files

pytestmark = pytest.mark.e2e
TEAM = "team@lists.example.org"
ANN = "Ann.Unmistakable@example.net"


def test_somebody_is_forgotten_once_that_was_confirmed(tmp_path: Path) -> None:
    """The command shows what it would do and does it with --yes alone; then the whole of state_dir
    holds nothing of them."""
    with Installation.at(tmp_path, mail=False) as ours:
        ours.json("list", "create", TEAM)
        ours.json("member", "add", TEAM, ANN, "--confirmed")
        assert in_files(tmp_path / "state", ANN)
        asked = ours.run("member", "erase", ANN)
        assert asked.returncode == 2
        assert re.search(f"^leaves +{TEAM} *$", asked.stdout, re.MULTILINE)
        assert "add --yes" in asked.stderr
        done = ours.json("member", "erase", ANN, "--yes")
        assert (done["known"], done["lists"], done["erased"]) == (True, [TEAM], True)
        assert in_files(tmp_path / "state", ANN) == []
