"""One person on one list: which roles, and how they read.

The aggregate of `membership.<list>.<person>`. A person is on the list while holding a role;
leaving the last role forgets every option, so that coming back starts afresh.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

import msgspec

from schemas.envelope import Event
from schemas.membership import (
    Consent,
    DeliveryMode,
    DeliveryStatus,
    MemberChanged,
    MemberMoved,
    MemberSubscribed,
    MemberUnsubscribed,
    Moderation,
    Role,
)
from services.membership.refused import Refused

T = TypeVar("T")

OPTIONS: Mapping[str, MemberChanged] = {  # what members switch by mail, as its commands say
    "own_on": MemberChanged(receive_own_postings=True),
    "own_off": MemberChanged(receive_own_postings=False),
    "copies_on": MemberChanged(receive_list_copy=True),
    "copies_off": MemberChanged(receive_list_copy=False),
    "language": MemberChanged(),  # the language is told beside it
}


class State(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What holds for one person on one list. Without `roles` they are not on it."""

    roles: frozenset[Role] = frozenset()
    delivery_mode: DeliveryMode = "regular"
    delivery_status: DeliveryStatus = "enabled"
    moderation: Moderation = ""
    receive_own_postings: bool = True
    receive_list_copy: bool = True
    preferred_language: str = ""

    @property
    def receives(self) -> bool:
        """Whether posts go to this person one by one."""
        return (
            "member" in self.roles
            and self.delivery_mode == "regular"
            and self.delivery_status == "enabled"
        )


initial = State()


def evolve(state: State, event: Event) -> State:
    """The state after `event`; an event that says nothing about it leaves it as it was."""
    match event:
        case MemberSubscribed(role="member"):
            return msgspec.structs.replace(
                state,
                roles=state.roles | {"member"},
                delivery_mode=event.delivery_mode,
                delivery_status=event.delivery_status,
            )
        case MemberSubscribed():
            return msgspec.structs.replace(state, roles=state.roles | {event.role})
        case MemberUnsubscribed():
            return _without(state, event.role)
        case MemberChanged() if state.roles:
            return msgspec.structs.replace(
                state,
                delivery_mode=_or(event.delivery_mode, state.delivery_mode),
                delivery_status=_or(event.delivery_status, state.delivery_status),
                moderation=_or(event.moderation_action, state.moderation),
                receive_own_postings=_or(event.receive_own_postings, state.receive_own_postings),
                receive_list_copy=_or(event.receive_list_copy, state.receive_list_copy),
                preferred_language=_or(event.preferred_language, state.preferred_language),
            )
        case _:
            return state


def decide_subscribe(
    state: State,
    *,
    role: Role = "member",
    delivery_mode: DeliveryMode = "regular",
    how: str,
    since: datetime | None = None,
    consent: Consent | None = None,
) -> tuple[Event, ...]:
    """Give the person this role, which they had elsewhere `since` then. Whoever has it keeps it,
    options and all. A nonmember is none any more with another role, and what was decided on them
    is over; raises Refused where somebody with another role is to be one."""
    if role in state.roles:
        return ()
    if role == "nonmember" and state.roles:
        raise Refused(
            "bad_request",
            "this address is on the list; posts of members have the option moderation_action "
            "(postroad member set)",
        )
    mode: DeliveryMode = delivery_mode if role == "member" else "regular"
    joined = MemberSubscribed(role=role, delivery_mode=mode, how=how, since=since, consent=consent)
    return (*decide_unsubscribe(state, role="nonmember", how=how), joined)


def decide_unsubscribe(
    state: State, *, role: Role = "member", how: str, reason: str = ""
) -> tuple[Event, ...]:
    """Take this role away."""
    if role not in state.roles:
        return ()
    return (MemberUnsubscribed(role=role, how=how, reason=reason),)


def decide_erase(state: State, *, how: str) -> tuple[Event, ...]:
    """The person is erased, and has no role any more."""
    return tuple(
        MemberUnsubscribed(role=role, how=how, reason="erased") for role in sorted(state.roles)
    )


def decide_change(
    state: State,
    *,
    delivery_mode: DeliveryMode | None = None,
    delivery_status: DeliveryStatus | None = None,
    moderation_action: Moderation | None = None,
    receive_own_postings: bool | None = None,
    receive_list_copy: bool | None = None,
    preferred_language: str | None = None,
    how: str,
    reason: str = "",
) -> tuple[Event, ...]:
    """Change options; None leaves one as it is. Raises Refused for somebody not on the list."""
    if not state.roles:
        raise not_on_list()
    changed = MemberChanged(
        delivery_mode=_new(delivery_mode, state.delivery_mode),
        delivery_status=_new(delivery_status, state.delivery_status),
        moderation_action=_new(moderation_action, state.moderation),
        receive_own_postings=_new(receive_own_postings, state.receive_own_postings),
        receive_list_copy=_new(receive_list_copy, state.receive_list_copy),
        preferred_language=_new(preferred_language, state.preferred_language),
        how=how,
        reason=reason,
    )
    return () if changed == MemberChanged(how=how, reason=reason) else (changed,)


def decide_mail(state: State, *, on: bool, how: str) -> tuple[Event, ...]:
    """A member wants posts, or wants none for now. Raises Refused for somebody who is no member,
    and for what a moderator has stopped, which stays so."""
    if "member" not in state.roles:
        raise not_on_list()
    if on and state.delivery_status == "by_moderator":
        raise Refused("stopped", "those who run the list have stopped their mail")
    if on:
        return decide_change(state, delivery_mode="regular", delivery_status="enabled", how=how)
    if state.receives:
        return decide_change(state, delivery_status="by_user", how=how)
    return ()


def decide_option(state: State, action: str, *, language: str = "", how: str) -> tuple[Event, ...]:
    """A member switches one of OPTIONS. Raises Refused for somebody who is no member."""
    if "member" not in state.roles:
        raise not_on_list()
    wanted = OPTIONS[action]
    return decide_change(
        state,
        receive_own_postings=wanted.receive_own_postings,
        receive_list_copy=wanted.receive_list_copy,
        preferred_language=language if action == "language" else None,
        how=how,
    )


def decide_moved(state: State, *, at: datetime, how: str) -> tuple[Event, ...]:
    """The person is reached at another address `at` a time, of which no mail has come back yet."""
    if not state.roles:
        return ()
    moved = MemberMoved(at=at, how=how)
    if state.delivery_status != "by_bounces":
        return (moved,)
    return (MemberChanged(delivery_status="enabled", how=how), moved)


def not_on_list() -> Refused:
    """The refusal for somebody who holds no role."""
    return Refused("unknown_member", "this address is not on the list; add it first")


def _without(state: State, role: Role) -> State:
    roles = state.roles - {role}
    if not roles:
        return initial
    if role != "member":
        return msgspec.structs.replace(state, roles=roles)
    return State(roles=roles, moderation=state.moderation)


def _or(new: T | None, old: T) -> T:
    return old if new is None else new


def _new(wanted: T | None, current: T) -> T | None:
    return None if wanted == current else wanted
