"""What a row of a file means for the person it names. Pure.

Events of a row go into one message, so that nobody is ever seen half changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import msgspec

from schemas.envelope import Event
from schemas.mass import ImportRow, MassAction
from schemas.membership import DeliveryStatus
from services.membership import decider
from services.membership.decider import State


def decide_rows(
    state: State, rows: Sequence[ImportRow], action: MassAction, *, how: str, back: bool = False
) -> tuple[Event, ...]:
    """What these rows, all of one person, change; nothing for what is so already. Only with `back`
    is delivery switched on again that a member, or a complaint of theirs, has stopped."""
    events: tuple[Event, ...] = ()
    for row in rows:
        stays = action == "set" and not back and _stays_stopped(row, state.delivery_status)
        wanted = msgspec.structs.replace(row, delivery_status=None) if stays else row
        found = _ACTIONS[action](state, wanted, how)
        state = reduce(decider.evolve, found, state)
        events += found
    return events


def _stays_stopped(row: ImportRow, status: DeliveryStatus) -> bool:
    """Whether this row would switch on what a member stopped."""
    return status == "by_user" and row.delivery_status == "enabled"


def _add(state: State, row: ImportRow, how: str) -> tuple[Event, ...]:
    """Whoever has the role keeps it, options and all."""
    if row.role == "nonmember" and state.roles:
        return ()
    mode = row.delivery_mode or "regular"
    added = decider.decide_subscribe(
        state, role=row.role, delivery_mode=mode, how=how, since=row.since
    )
    return added and added + _set(reduce(decider.evolve, added, state), row, how)


def _set(state: State, row: ImportRow, how: str) -> tuple[Event, ...]:
    """Delivery is a matter of members; moderation of whoever is there."""
    if row.role not in state.roles:
        return ()
    reads = row.role == "member"
    return decider.decide_change(
        state,
        delivery_mode=row.delivery_mode if reads else None,
        delivery_status=row.delivery_status if reads else None,
        moderation_action=row.moderation_action,
        receive_own_postings=row.receive_own_postings if reads else None,
        receive_list_copy=row.receive_list_copy if reads else None,
        preferred_language=row.preferred_language,
        how=how,
    )


def _remove(state: State, row: ImportRow, how: str) -> tuple[Event, ...]:
    return decider.decide_unsubscribe(state, role=row.role, how=how)


_ACTIONS = {"add": _add, "set": _set, "remove": _remove}
