"""What it takes to make the members of a list those of a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.cli.people import BadLine, people
from postroad.cli.sync import check, plan, told
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
    assert list(told(wanted)) == [
        "add 0, change 1, remove 1 of 3 members",
        "~ ann@example.net: delivery_mode none, receive_list_copy false",
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
