"""How often an address is written to without having asked for it. Pure.

The aggregate of `pending.contact.<key>`: every mail that still counts, with the mail that caused
it, so that a cause met again is not counted again. Whoever forges 10,000 requests in somebody's
name makes them three confirmations a day, and three answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from schemas.envelope import Event
from schemas.pending import Contact, Contacted

DAY = timedelta(hours=24)
CONFIRMATIONS = 3  # a day for one address, over all lists
ANSWERS = 3  # a day for one address: help, errors, notices

State = tuple[Contact, ...]


def fold(events: Iterable[Event]) -> State:
    """What counts, as the last event says."""
    state: State = ()
    for event in events:
        if isinstance(event, Contacted):
            state = event.contacts
    return state


def confirmation(state: State, *, list_: str, cause: str, now: datetime) -> State | None:
    """The state once a confirmation for this list is sent; None where it may not be.

    One that waits for its answer is enough for a list and a day.
    """
    if _noted(state, "confirmation", cause):
        return state
    recent = [each for each in _recent(state, now) if each.kind == "confirmation"]
    if len(recent) >= CONFIRMATIONS or any(each.open and each.list == list_ for each in recent):
        return None
    new = Contact(kind="confirmation", list=list_, cause=cause, at=now, open=True)
    return (*_recent(state, now), new)


def answer(state: State, *, cause: str, now: datetime) -> State | None:
    """The state once an automatic answer is sent; None where it may not be."""
    if _noted(state, "answer", cause):
        return state
    recent = _recent(state, now)
    if sum(each.kind == "answer" for each in recent) >= ANSWERS:
        return None
    return (*recent, Contact(kind="answer", cause=cause, at=now))


def confirmed(state: State, *, cause: str) -> State:
    """The state once the confirmation sent because of `cause` was answered: it still counts
    among those of the day, but keeps no list from asking again."""
    return tuple(
        msgspec.structs.replace(each, open=False)
        if each.kind == "confirmation" and each.cause == cause
        else each
        for each in state
    )


def _noted(state: State, kind: str, cause: str) -> bool:
    return any(each.kind == kind and each.cause == cause for each in state)


def _recent(state: State, now: datetime) -> State:
    return tuple(each for each in state if now - each.at < DAY)
