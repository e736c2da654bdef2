"""What happened on a list, asked at the command line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.commands import ChangeMember, Subscribe, Unsubscribe
from tests.e2e.installation import Installation
from tests.e2e.system import System, mail, world

pytestmark = pytest.mark.e2e
TEAM = "team@lists.example.org"
ANN = "ann@example.net"


def test_a_history_is_told_while_nothing_runs(tmp_path: Path) -> None:
    """Histories of members and lists need no running Postroad, and tell who typed the command."""
    with Installation.at(tmp_path, mail=False) as ours:
        ours.json("list", "create", TEAM)
        ours.json("member", "add", TEAM, ANN, "--confirmed")
        told = ours.json("member", "history", TEAM, ANN)
        assert [row["what"] for row in told["events"]] == ["joined"]
        assert (told["address"], told["erased"]) == (ANN, False)
        assert "the command line" in told["events"][0]["by"]
        shown = ours.run("list", "history", TEAM).stdout
        assert "display_name: (none) → Team" in shown
        assert max(map(len, shown.splitlines())) <= 100


async def test_each_post_s_set_is_the_one_whose_mailboxes_have_it(tmp_path: Path) -> None:
    """After joining, leaving and switching mail off, `member ls --post` tells of each post the
    members who got it, `--left-out` the others and why, and `--at` who was there between."""
    team, ann, bob, cid = (
        "team@example.org",
        "ann@example.net",
        "bob@example.net",
        "cid@example.net",
    )
    async with world(tmp_path) as here:
        road = here.road
        await road.make_list(team, [ann, bob])
        here.post(mail(1))
        first = await here.sink.wait_for(2)
        await road.settled(1)
        between = datetime.now(UTC).isoformat()
        await road.ask("unsubscribe", Unsubscribe(list=team, address=ann))
        await road.ask("subscribe", Subscribe(list=team, address=cid))
        stopped = ChangeMember(list=team, address=bob, delivery_status="by_user")
        await road.ask("member_set", stopped)
        here.post(mail(2))
        second = (await here.sink.wait_for(3))[2:]
        await road.settled(2)
        ids = [row["id"] for row in (await road.cli("post", "ls", "--json")).json]
        for post, copies in zip(reversed(ids), (first, second), strict=True):
            assert await _ls(road, team, "--post", post) == sorted(
                recipient for copy in copies for recipient in copy.recipients
            )
        left_out = (
            await road.cli("member", "ls", team, "--post", ids[0], "--left-out", "--json")
        ).json
        assert left_out == [{"address": bob, "why": "delivery_status=by_user"}]
        assert await _ls(road, team, "--at", between) == [ann, bob]
        shown = await road.cli("member", "ls", team, "--at", "2001-01-01")
        assert (shown.code, "there was no list" in shown.err) == (2, True)
        told = (await road.cli("member", "history", team, bob)).out
        assert "delivery_status: enabled → by_user" in told
        assert max(map(len, told.splitlines())) <= 100


async def _ls(road: System, *words: str) -> list[str]:
    return [row["address"] for row in (await road.cli("member", "ls", *words, "--json")).json]
