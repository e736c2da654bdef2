"""How somebody comes back to an earlier state. Pure.

What was done stays in the log; the events here compensate it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import reduce

from projections.roster import NOBODY, Standing
from schemas.envelope import Event
from schemas.membership import MemberSubscribed, MemberUnsubscribed
from services.membership import decider
from services.membership.decider import State

Period = tuple[Standing, int | None]  # how somebody stood, and the sequence that ended it


def restore(
    now: State, before: State, *, how: str, since: datetime | None = None
) -> tuple[Event, ...]:
    """The events that lead from `now` to `before`; none where they are the same. `since` is when
    they came onto the list, for those who are brought back to it."""
    back = None if now.roles else since
    events: list[Event] = []
    for role in sorted(before.roles - now.roles):
        if role == "member":
            mode, status = before.delivery_mode, before.delivery_status
            joined = MemberSubscribed(
                delivery_mode=mode, delivery_status=status, how=how, since=back
            )
        else:
            joined = MemberSubscribed(role=role, how=how, since=back)
        events.append(joined)
    events += [MemberUnsubscribed(role=role, how=how) for role in sorted(now.roles - before.roles)]
    state = reduce(decider.evolve, events, now)
    if before.roles:
        events += decider.decide_change(
            state,
            delivery_mode=before.delivery_mode,
            delivery_status=before.delivery_status,
            moderation_action=before.moderation,
            receive_own_postings=before.receive_own_postings,
            receive_list_copy=before.receive_list_copy,
            preferred_language=before.preferred_language,
            how=how,
        )
    return tuple(events)


def standing_at(periods: Sequence[Period], seq: int) -> Standing:
    """How somebody stood once everything up to `seq` had happened."""
    for standing, end in periods:
        if standing.from_seq <= seq and (end is None or end > seq):
            return standing
    return NOBODY


def changed_after(periods: Sequence[Period], seq: int) -> bool:
    """Whether anything about them is newer than `seq`."""
    return any(standing.from_seq > seq or (end or 0) > seq for standing, end in periods)
