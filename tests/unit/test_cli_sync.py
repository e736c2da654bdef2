"""What it takes to make the members of a list those of a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.cli.mass import Outcome
from postroad.cli.people import BadLine, people
from postroad.cli.sync import check, plan, told, without
from postroad.runtime.errors import UsageError
from schemas.commands import RosterRow
from schemas.mass import ImportRow

names = st.sets(st.from_regex(r"[a-z]{1,3}@example\.net", fullmatch=True), max_size=12)


@given(names, names)
def test_afterwards_the_members_are_those_of_the_file(file: set[str], members: set[str]):
    """Whoever is added, less whoever is removed, is the file; who stands in both is left alone."""
    wanted = plan(
        [ImportRow(line=line, address=address) for line, address in enumerate(file, 2)],
        [RosterRow(address=address.upper()) for address in members],
    )
    added = {row.address for row in wanted.add}
    removed = {row.address.lower() for row in wanted.remove}
    assert members - removed | added == file
    assert not added & members
    assert not removed & file
    assert not wanted.change


def test_options_that_the_file_tells_are_compared():
    """What a file does not tell stays; owners and moderators of the file say nothing of members."""
    text = (
        "email,role,delivery_mode,moderation_action,receive_list_copy\n"
        "ann@example.net,,none,,false\nbob@example.net,,regular,hold,true\n"
        "cid@example.net,owner,,,\n"
    )
    members = [
        RosterRow(address="ann@example.net", moderation_action="hold"),
        RosterRow(address="bob@example.net", moderation_action="hold"),
        RosterRow(address="cid@example.net"),
    ]
    wanted = plan(people(text.splitlines(keepends=True)), members)
    by = {"ann@example.net": "jo"}
    assert list(told(wanted, by)) == [
        "add 0, change 1, remove 1 of 3 members",
        "~ ann@example.net: delivery_mode regular → none, receive_list_copy true → false (jo)",
        "- cid@example.net",
    ]


def test_a_wrong_line_is_told():
    """An address that is none, like a line that cannot be read, is bad: its person is not taken for
    one who has gone."""
    rows: list[ImportRow | BadLine] = [
        ImportRow(line=2, address="ann@"),
        (3, "there is no email in this line"),
    ]
    assert [line for line, _ in plan(rows, []).bad] == [2, 3]


def test_most_of_a_list_is_removed_only_by_its_number():
    """Above half of the members --force must name how many go; nothing else will do."""
    members = [RosterRow(address=f"m{n}@example.net") for n in range(10)]
    kept = [ImportRow(line=n + 2, address=f"m{n}@example.net") for n in range(5)]
    check(plan(kept, members), 0)
    for force in (0, 5, 10):
        with pytest.raises(UsageError, match=r"remove 6 of 10 members.*--force 6"):
            check(plan(kept[:4], members), force)
    check(plan(kept[:4], members), 6)


def test_what_a_member_stopped_stays_stopped():
    """A file made before switches nothing on that they, or a complaint, have stopped since; its
    other options count. What bounces stopped, and all with `again`, is switched on."""
    rows = [
        ImportRow(line=2, address="ann@example.net", delivery_status="enabled"),
        ImportRow(line=3, address="bob@example.net", delivery_status="enabled"),
    ]
    members = [
        RosterRow(address="ann@example.net", delivery_status="by_user"),
        RosterRow(address="bob@example.net", delivery_status="by_bounces"),
    ]
    wanted = plan(rows, members)
    assert [row.address for row, _ in wanted.change] == ["bob@example.net"]
    assert list(told(wanted, {}))[1:] == [
        "~ bob@example.net: delivery_status by_bounces → enabled",
        "= ann@example.net: delivery_status stays by_user; --again changes that",
    ]
    assert len(plan(rows, members, again=True).change) == 2


def test_whom_membership_would_not_add_is_not_in_the_preview():
    """Who is banned, and who left: the preview has only whom the real run would add."""
    rows = [ImportRow(line=line, address=f"m{line}@example.net") for line in (2, 3, 4)]
    wanted = plan(rows, [])
    without(wanted, Outcome(bad=[(2, "banned")], away=[(3, "left themselves, 2026-05-01")]))
    assert [row.line for row in wanted.add] == [4]
    assert wanted.stay == [("m3@example.net", "stays away: left themselves, 2026-05-01")]
