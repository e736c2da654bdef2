"""One person on one list: what commands decide, given what happened before."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial, reduce
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from postroad.testing import Decider
from schemas.envelope import Event
from schemas.membership import (
    MemberChanged,
    MemberMoved,
    MemberSubscribed,
    MemberUnsubscribed,
    Role,
)
from services.membership.decider import (
    State,
    decide_change,
    decide_erase,
    decide_mail,
    decide_moved,
    decide_option,
    decide_subscribe,
    decide_unsubscribe,
    evolve,
    initial,
)
from services.membership.refused import Refused

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
person = Decider(initial=initial, evolve=evolve)

roles = st.sampled_from(get_args(Role))
modes = st.sampled_from(["regular", "none"])
statuses = st.sampled_from(["enabled", "by_user", "by_bounces", "by_moderator"])
moderations = st.sampled_from(["", "defer", "accept", "hold", "reject", "discard"])
commands = st.one_of(
    st.builds(partial, st.just(decide_subscribe), role=roles, delivery_mode=modes, how=st.just("")),
    st.builds(partial, st.just(decide_unsubscribe), role=roles, how=st.just("")),
    st.builds(partial, st.just(decide_erase), how=st.just("")),
    st.builds(
        partial,
        st.just(decide_change),
        delivery_mode=st.none() | modes,
        delivery_status=st.none() | statuses,
        moderation_action=st.none() | moderations,
        receive_own_postings=st.none() | st.booleans(),
        receive_list_copy=st.none() | st.booleans(),
        preferred_language=st.sampled_from([None, "", "de"]),
        how=st.just(""),
    ),
)
stored = st.lists(
    st.one_of(
        st.builds(MemberSubscribed, role=roles, delivery_mode=modes, delivery_status=statuses),
        st.builds(MemberUnsubscribed, role=roles),
        st.builds(
            MemberChanged,
            delivery_mode=st.none() | modes,
            moderation_action=moderations,
            receive_own_postings=st.none() | st.booleans(),
            receive_list_copy=st.none() | st.booleans(),
            preferred_language=st.sampled_from([None, "", "de"]),
        ),
    )
)


def test_a_stranger_joins() -> None:
    """Subscribing a stranger gives them the role, in the mode asked for."""
    person.given().when(decide_subscribe, delivery_mode="none", how="import").then(
        MemberSubscribed(delivery_mode="none", how="import")
    )


def test_a_member_stays_as_they_are() -> None:
    """Subscribing a member again changes nothing, not even the mode."""
    person.given(MemberSubscribed()).when(
        decide_subscribe, delivery_mode="none", how="import"
    ).then_nothing()


def test_a_new_address_gets_the_mail_that_the_old_one_refused() -> None:
    """What bounces have stopped goes on; what somebody has stopped stays stopped; of who is not on
    the list nothing is said."""
    moved = MemberMoved(at=NOON, how="mail")
    bounced = MemberSubscribed(delivery_status="by_bounces")
    on = MemberChanged(delivery_status="enabled", how="mail")
    person.given(bounced).when(decide_moved, at=NOON, how="mail").then(on, moved)
    away = MemberSubscribed(delivery_status="by_user")
    person.given(away).when(decide_moved, at=NOON, how="mail").then(moved)
    person.given().when(decide_moved, at=NOON, how="mail").then_nothing()


def test_roles_are_held_side_by_side() -> None:
    """A member becomes an owner besides; leaving as a member leaves the owner an owner."""
    both = person.given(MemberSubscribed(), MemberSubscribed(role="owner"))
    assert both.state.roles == {"member", "owner"}
    both.when(decide_unsubscribe, how="mail").then(MemberUnsubscribed(how="mail"))
    left = person.given(MemberSubscribed(), MemberSubscribed(role="owner"), MemberUnsubscribed())
    assert left.state.roles == {"owner"}


def test_only_members_have_a_delivery_mode() -> None:
    """The mode of an owner's subscription is not kept: mail to owners is always delivered."""
    person.given().when(decide_subscribe, role="owner", delivery_mode="none", how="").then(
        MemberSubscribed(role="owner")
    )


def test_who_has_left_cannot_leave() -> None:
    """Unsubscribing somebody who does not have the role changes nothing."""
    person.given().when(decide_unsubscribe, how="mail").then_nothing()


def test_who_is_erased_has_no_role_left() -> None:
    """Erasing ends every role in one decision, saying why; again it changes nothing."""
    ended = tuple(
        MemberUnsubscribed(role=role, how="x", reason="erased") for role in ("member", "owner")
    )
    given = person.given(MemberSubscribed(role="owner"), MemberSubscribed())
    given.when(decide_erase, how="x").then(*ended)
    left = person.given(MemberSubscribed(role="owner"), MemberSubscribed(), *ended)
    assert left.state == State()
    left.when(decide_erase, how="x").then_nothing()


def test_coming_back_starts_afresh() -> None:
    """Whoever leaves the last role leaves every option behind."""
    back = person.given(
        MemberSubscribed(delivery_mode="none"),
        MemberChanged(delivery_status="by_bounces", receive_own_postings=False),
        MemberChanged(moderation_action="hold", receive_list_copy=False),
        MemberUnsubscribed(),
        MemberSubscribed(),
    )
    assert back.state == State(roles=frozenset({"member"}))


def test_a_nonmember_who_joins_is_none_any_more() -> None:
    """What was decided on a stranger is over once they have another role; who has one is no
    stranger."""
    stranger = person.given(
        MemberSubscribed(role="nonmember"), MemberChanged(moderation_action="discard")
    )
    joined = stranger.when(decide_subscribe, how="mail")
    joined.then(MemberUnsubscribed(role="nonmember", how="mail"), MemberSubscribed(how="mail"))
    person.given(MemberSubscribed()).when(
        decide_subscribe, role="nonmember", how="mail"
    ).then_refused(Refused, "moderation_action")


def test_only_what_changes_is_stored() -> None:
    """A change names only options that are not so already."""
    person.given(MemberSubscribed(), MemberChanged(moderation_action="hold")).when(
        decide_change, delivery_mode="none", moderation_action="hold", how="web"
    ).then(MemberChanged(delivery_mode="none", how="web"))


def test_a_stranger_has_no_options() -> None:
    """Changing somebody who is not on the list is refused, with what to do."""
    person.given().when(decide_change, delivery_mode="none", how="").then_refused(
        Refused, "add it first"
    )


@given(stored, commands)
def test_repeating_a_command_decides_nothing(
    history: list[Event], command: partial[tuple[Event, ...]]
) -> None:
    """Whatever happened before, the same command a second time yields no events."""
    before = reduce(evolve, history, initial)
    try:
        after = reduce(evolve, command(before), before)
    except Refused:
        return
    assert command(after) == ()


@given(stored)
def test_who_holds_no_role_is_forgotten(history: list[Event]) -> None:
    """Without a role there are no options either, whatever happened before."""
    state = initial
    for event in history:
        state = evolve(state, event)
        assert state.roles or state == initial


def test_mail_off_and_on() -> None:
    """A member switches mail off by themselves and on again, also what an operator had set to no
    mail, or what bounces had stopped."""
    person.given(MemberSubscribed()).when(decide_mail, on=False, how="mail").then(
        MemberChanged(delivery_status="by_user", how="mail")
    )
    person.given(MemberSubscribed(delivery_mode="none", delivery_status="by_bounces")).when(
        decide_mail, on=True, how="mail"
    ).then(MemberChanged(delivery_mode="regular", delivery_status="enabled", how="mail"))
    person.given(MemberSubscribed()).when(decide_mail, on=True, how="mail").then_nothing()


def test_what_a_moderator_stopped_stays_stopped() -> None:
    """A member cannot switch on what a moderator switched off, nor make their own of it."""
    stopped = person.given(MemberSubscribed(delivery_status="by_moderator"))
    stopped.when(decide_mail, on=True, how="mail").then_refused(Refused)
    stopped.when(decide_mail, on=False, how="mail").then_nothing()


def test_members_choose_their_copies() -> None:
    """A member switches off copies of own posts and on again; asking twice changes nothing, and who
    is no member has nothing to switch."""
    member = person.given(MemberSubscribed())
    member.when(decide_option, action="own_on", how="mail").then_nothing()
    member.when(decide_option, action="own_off", how="mail").then(
        MemberChanged(receive_own_postings=False, how="mail")
    )
    person.given(MemberSubscribed(), MemberChanged(receive_list_copy=False)).when(
        decide_option, action="copies_on", how="mail"
    ).then(MemberChanged(receive_list_copy=True, how="mail"))
    person.given(MemberSubscribed(role="owner")).when(
        decide_option, action="own_off", how="mail"
    ).then_refused(Refused)


def test_only_members_have_mail_to_switch() -> None:
    """Strangers and mere owners are refused."""
    person.given().when(decide_mail, on=True, how="mail").then_refused(Refused)
    person.given(MemberSubscribed(role="owner")).when(
        decide_mail, on=False, how="mail"
    ).then_refused(Refused)
