"""Lists of a Mailman are brought here: settings, people, and since when they are there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.system import System

pytestmark = pytest.mark.e2e
GOLDEN = Path(__file__).parents[1] / "golden"
MAILMAN3 = str(GOLDEN / "mailman3" / "answers")
MAILMAN2 = str(GOLDEN / "mailman2")
STAFF, NEWS = "staff@lists.example.org", "news@lists.example.org"


@pytest.fixture
async def road(tmp_path: Path) -> AsyncIterator[System]:
    """Membership on a broker, and no list."""
    async with System.start(tmp_path, "", services=("membership",)) as running:
        yield running


async def test_a_mailman_3_moves(road: System) -> None:
    """A dry run makes nothing; then lists have their settings, and people their role, options and
    the date they had; given again, the command changes nothing, and a setting changed here since
    stays."""
    dry = (await road.cli("import", "mailman3", MAILMAN3, "--dry-run", "--json")).json
    assert [one["list"] for one in dry] == [NEWS, STAFF]
    news, staff = (await road.cli("import", "mailman3", MAILMAN3, "--json")).json
    assert (staff["created"], staff["added"], staff["bad"]) == (True, 6, [])
    assert (news["created"], news["added"]) == (True, 3)
    assert "cannot arrive: its domain is not in the settings" in news["warning"]

    settings = (await road.cli("list", "show", STAFF, "--json")).json["settings"]
    assert settings["default_nonmember_action"] == "reject"
    assert f"@{NEWS}" in settings["accept_these_nonmembers"]
    assert len(settings["bans"]) == 3
    rows = {row["address"]: row for row in (await road.cli("member", "ls", STAFF, "--json")).json}
    assert list(rows) == [
        "Ann.Archer@example.net",
        "ben@example.net",
        "carl@example.org",
        "dora@example.org",
    ]
    assert rows["ben@example.net"]["delivery_status"] == "by_user"
    assert not rows["dora@example.org"]["receive_own_postings"]
    assert rows["ben@example.net"]["since"] == "2026-11-21T18:53:45Z"
    asked = ("member", "ls", STAFF, "--role", "nonmember", "--json")
    (visitor,) = (await road.cli(*asked)).json
    assert (visitor["address"], visitor["moderation_action"]) == ("visitor@example.com", "discard")
    ben = (await road.cli("member", "history", STAFF, "ben@example.net", "--json")).json
    assert ben["events"][0]["how"] == "Mailman 3"
    assert ben["events"][0]["facts"] == {"since": "2026-11-21T18:53:45.536288Z"}

    await road.cli("list", "set", STAFF, "description=Ours")
    _, again = (await road.cli("import", "mailman3", MAILMAN3, "--json")).json
    assert (again["created"], again["added"], again["present"]) == (False, 0, 6)
    shown = (await road.cli("list", "show", STAFF, "--json")).json
    assert shown["settings"]["description"] == "Ours"


async def test_a_mailman_2_moves(road: System) -> None:
    """A `config.pck` and the log of who joined become a list; a text of members becomes members of
    it, but for the lines that are wrong."""
    done = await road.cli("import", "mailman2", MAILMAN2)
    assert done.code == 0, done.err
    assert "made; added 5" in done.out
    assert max(map(len, done.out.splitlines())) <= 100
    rows = {row["address"]: row for row in (await road.cli("member", "ls", STAFF, "--json")).json}
    assert rows["Ann.Archer@example.net"]["since"] == "2009-03-04T05:06:07Z"
    assert rows["dora@example.org"]["delivery_status"] == "by_bounces"
    assert rows["ben@example.net"]["moderation_action"] == "reject"

    text = road.home / "members.txt"
    text.write_text("# list_members -f\nEve Example <eve@example.com>\n\nnobody\n")
    more = await road.cli("import", "mailman2", str(text), "--list", STAFF)
    assert more.code == 1
    assert "added 1" in more.out
    assert "nobody" in more.err
