"""Somebody comes back to an earlier state by new events."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import reduce
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from projections.roster import NOBODY, Standing
from schemas.envelope import Event
from schemas.membership import (
    DeliveryMode,
    DeliveryStatus,
    MemberChanged,
    MemberSubscribed,
    MemberUnsubscribed,
    Moderation,
    Role,
)
from services.membership import decider
from services.membership.restoring import changed_after, restore, standing_at

roles = st.sampled_from(get_args(Role))
modes = st.sampled_from(get_args(DeliveryMode))
statuses = st.sampled_from(get_args(DeliveryStatus))
lives = st.lists(
    st.one_of(
        st.builds(MemberSubscribed, role=roles, delivery_mode=modes, delivery_status=statuses),
        st.builds(MemberUnsubscribed, role=roles),
        st.builds(
            MemberChanged,
            delivery_mode=st.none() | modes,
            delivery_status=st.none() | statuses,
            moderation_action=st.none() | st.sampled_from(get_args(Moderation)),
            receive_own_postings=st.none() | st.booleans(),
            receive_list_copy=st.none() | st.booleans(),
            preferred_language=st.sampled_from([None, "", "de"]),
        ),
    ),
    max_size=8,
)


@given(lives, lives)
def test_every_state_can_be_come_back_to(before: list[Event], since: list[Event]):
    """Whatever somebody was and whatever came of them, all of what they were is restored; where
    nothing is different nothing is said."""
    was = reduce(decider.evolve, before, decider.initial)
    now = reduce(decider.evolve, since, was)
    events = restore(now, was, how="undo")
    assert reduce(decider.evolve, events, now) == was
    assert bool(events) == (now != was)


def test_whoever_is_brought_back_is_there_since_then():
    """The time counts for people who are on the list no more, and for nobody else."""
    then = datetime(2003, 5, 1, tzinfo=UTC)
    member = decider.State(roles=frozenset({"member"}))
    both = decider.State(roles=frozenset({"member", "owner"}))
    (back,) = restore(decider.initial, member, how="undo", since=then)
    assert back == MemberSubscribed(how="undo", since=then)
    assert restore(member, both, how="undo", since=then) == (
        MemberSubscribed(role="owner", how="undo"),
    )


def test_states_by_sequence():
    """A state holds from its sequence up to the one that ended it; between two there is none, and
    what came later is seen also where somebody has gone."""
    first = Standing(roles=frozenset({"member"}), from_seq=3)
    second = Standing(roles=frozenset({"owner"}), from_seq=9)
    periods = [(first, 5), (second, 12)]
    found = {seq: standing_at(periods, seq) for seq in (2, 3, 4, 5, 9, 11, 12)}
    assert found == {2: NOBODY, 3: first, 4: first, 5: NOBODY, 9: second, 11: second, 12: NOBODY}
    assert [changed_after(periods, seq) for seq in (8, 11, 12)] == [True, True, False]
