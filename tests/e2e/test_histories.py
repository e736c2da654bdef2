"""What happened on a list, asked at the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.installation import Installation

pytestmark = pytest.mark.e2e
TEAM = "team@lists.example.org"
ANN = "ann@example.net"


def test_a_member_s_life_is_told_while_nothing_runs(tmp_path: Path) -> None:
    """`member history` tells each change with old and new, who made it and when, in lines of at
    most 100 columns."""
    with Installation.at(tmp_path, mail=False) as ours:
        ours.json("list", "create", TEAM)
        ours.json("member", "add", TEAM, ANN, "--confirmed")
        ours.json("member", "set", TEAM, ANN, "delivery_status=by_user", "delivery_mode=none")
        ours.json("member", "remove", TEAM, ANN)
        told = ours.json("member", "history", TEAM, ANN)
        assert [row["what"] for row in told["events"]] == ["joined", "changed", "left"]
        assert told["events"][1]["changes"] == [
            ["delivery_mode", "regular", "none"],
            ["delivery_status", "enabled", "by_user"],
        ]
        assert (told["address"], told["erased"]) == (ANN, False)
        shown = ours.run("member", "history", TEAM, ANN).stdout
        assert "delivery_status: enabled → by_user" in shown
        assert "at the command line" in shown
        assert max(map(len, shown.splitlines())) <= 100
        assert ours.run("member", "history", TEAM, "bob@example.net").returncode == 1
