"""How people stood on lists: the views say what the roster says, at every moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections import roster
from projections.analytics import bounces, membership
from projections.projection import Message
from schemas.envelope import Event
from schemas.membership import (
    MemberBounced,
    MemberChanged,
    MemberMoved,
    MemberSubscribed,
    MemberUnsubscribed,
)
from tests.unit.projections.analysis import NOON, Analysis, message

roles = st.sampled_from(["member", "owner", "moderator", "nonmember"])
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        MemberSubscribed,
        role=roles,
        delivery_mode=st.sampled_from(["regular", "none"]),
        delivery_status=st.sampled_from(["enabled", "by_user"]),
        since=st.sampled_from([None, NOON - timedelta(days=9), NOON + timedelta(days=9)]),
    ),
    st.builds(MemberUnsubscribed, role=roles),
    st.builds(
        MemberChanged,
        delivery_mode=st.sampled_from([None, "regular", "none"]),
        delivery_status=st.sampled_from([None, "enabled", "by_bounces", "by_moderator"]),
        moderation_action=st.sampled_from([None, "", "hold"]),
        receive_own_postings=st.none() | st.booleans(),
        receive_list_copy=st.none() | st.booleans(),
        preferred_language=st.sampled_from([None, "", "de"]),
    ),
    st.just(MemberMoved(at=NOON)),
    st.just(MemberBounced(kind="hard", at=NOON, points=1.0)),
)
one_by_one = st.lists(events.map(lambda event: (event,)), max_size=9)
together = st.lists(st.lists(events, min_size=1, max_size=3).map(tuple), max_size=6)
OPTIONS = (
    "delivery_mode, delivery_status, moderation, receive_own_postings, receive_list_copy, "
    "preferred_language"
)
TOLD = f"list, person, member, owner, moderator, nonmember, {OPTIONS}, since, from_seq, to_seq"
STATE = slice(0, -3)


@pytest.fixture(scope="module")
def made() -> Analysis:
    """Tables that each test fills anew."""
    return Analysis()


def lived(lives: Sequence[Sequence[tuple[Event, ...]]]) -> list[Message]:
    """The lives of as many people on two lists, mingled as they might be."""
    turns = [
        (turn, f"membership.{'team' if whom % 3 else 'crew'}.p{whom}", said)
        for whom, life in enumerate(lives)
        for turn, said in enumerate(life)
    ]
    ordered = sorted(turns, key=lambda one: one[:2])
    return [message(where, seq, *said) for seq, (_, where, said) in enumerate(ordered, 1)]


def of_roster(messages: Iterable[Message]) -> list[tuple[Any, ...]]:
    """The rows that the roster would hold."""
    said = [(one.subject, one.seq, one.body) for one in messages]
    _, begun = roster.fold_membership({}, said)
    return sorted(begun.rows, key=lambda row: (row[:2], row[-2]))


def joined(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The same with neighbours that tell the same state as one."""
    found: list[tuple[Any, ...]] = []
    for row in rows:
        if found and found[-1][STATE] == row[STATE] and found[-1][-1] == row[-2]:
            found[-1] = (*found[-1][:-1], row[-1])
        else:
            found.append(row)
    return found


def fill(made: Analysis, messages: Sequence[Message]) -> None:
    """These messages and no others."""
    made.connection.execute("delete from membership_events")
    made.fold(membership.PROJECTION, messages)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives=st.lists(one_by_one, max_size=20))
def test_standings_are_those_of_the_roster(
    made: Analysis, lives: list[list[tuple[Event, ...]]]
) -> None:
    """Whatever happens, each state, when it began and ended, and since when somebody is there is
    what the roster folds of the same messages."""
    messages = lived(lives)
    fill(made, messages)
    found = made.rows(f"select {TOLD} from standings order by list, person, from_seq")
    assert joined(found) == joined(of_roster(messages))
    today = "delivery_mode, delivery_status, receives"
    assert made.rows(f"select list, person, {today} from members order by all") == made.rows(
        f"select list, person, {today} from standings where member and to_seq is null order by all"
    )


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives=st.lists(together, max_size=20))
def test_of_a_message_with_several_events_the_last_state_counts(
    made: Analysis, lives: list[list[tuple[Event, ...]]]
) -> None:
    """What one message says happens at once: no state lasts for a part of it."""
    messages = lived(lives)
    fill(made, messages)
    found = made.rows(f"select {TOLD} from standings order by list, person, from_seq")
    told = [(*row[:-3], None, *row[-2:]) for row in found]
    expected = [(*row[:-3], None, *row[-2:]) for row in of_roster(messages)]
    assert joined(told) == joined(expected)
    for before, behind in pairwise(found):
        assert before[:2] != behind[:2] or before[-1] <= behind[-2]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives=st.lists(one_by_one, max_size=8), data=st.data())
def test_a_question_about_a_moment_is_answered_as_of_then(
    made: Analysis, lives: list[list[tuple[Event, ...]]], data: st.DataObject
) -> None:
    """By sequence or by time, who was a member is whom the roster had up to there."""
    messages = lived(lives)
    fill(made, messages)
    seq = data.draw(st.integers(0, len(messages)))
    standing: dict[str, roster.Standing] = {}
    for one in messages[:seq]:
        if one.subject.startswith("membership.team."):
            before = standing.get(one.subject, roster.NOBODY)
            standing[one.subject] = roster.after(before, one.body.events[0])
    expected = {
        subject.rpartition(".")[2]: state for subject, state in standing.items() if state.roles
    }
    time = NOON + timedelta(hours=seq)
    for moment in ({"seq": seq, "time": None}, {"seq": None, "time": time.replace(tzinfo=None)}):
        rows = made.ask("members_at", list="team", role="member", **moment)
        assert {row["person"]: row["receives"] for row in rows} == {
            who: state.receives for who, state in expected.items() if "member" in state.roles
        }
        for who in {one.subject.rpartition(".")[2] for one in messages}:
            rows = made.ask("standing", list="team", person=who, **moment)
            state = expected.get(who)
            assert [row["receives"] for row in rows] == ([state.receives] if state else [])


def test_a_role_has_a_row_of_its_own(made: Analysis) -> None:
    """Who is a member and an owner stands twice in memberships, from then until one ends."""
    fill(
        made,
        [
            message("membership.team.a", 1, MemberSubscribed()),
            message("membership.team.a", 2, MemberSubscribed(role="owner")),
            message("membership.team.a", 3, MemberChanged(delivery_status="by_bounces")),
            message("membership.team.a", 4, MemberUnsubscribed(role="owner")),
            message("membership.team.a", 5, MemberUnsubscribed()),
        ],
    )
    told = "select role, from_seq, to_seq, receives from memberships order by role, from_seq"
    assert made.rows(told) == [
        ("member", 1, 2, True),
        ("member", 2, 3, True),
        ("member", 3, 4, False),
        ("member", 4, 5, False),
        ("owner", 2, 3, True),
        ("owner", 3, 4, False),
    ]
    (row,) = made.ask("lists_of_person", person="a")
    left = (NOON + timedelta(hours=5)).astimezone(UTC).replace(tzinfo=None)
    assert (row["list"], row["today"], row["left_at"]) == ("team", False, left)


def test_the_story_tells_reasons_and_what_bounces_said(made: Analysis) -> None:
    """Why delivery stopped, and what came back, is told in the order in which it happened."""
    stopped = MemberChanged(delivery_status="by_bounces", how="bounces", reason="5 points")
    bounced = MemberBounced(kind="hard", at=NOON, points=1.0, score=5.0, said="no such user")
    messages = [
        message("membership.team.a", 1, MemberSubscribed(how="mail")),
        message("membership.team.a", 2, bounced, stopped),
        message("membership.team.b", 3, MemberSubscribed(how="import")),
    ]
    fill(made, messages)
    made.fold(bounces.PROJECTION, messages)
    told = made.ask("membership_story", list="team", person="a")
    assert [(row["event"], row["how"], row["reason"], row["said"]) for row in told] == [
        ("subscribed", "mail", "", None),
        ("bounced", "", "", "no such user"),
        ("changed", "bounces", "5 points", None),
    ]
