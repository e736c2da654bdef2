"""One person's request to join or leave a list, and what its owners said. Pure.

The aggregate of `pending.request.<list>.<id>`; its last message holds all there is to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from schemas.approvals import RequestWord
from schemas.envelope import Event
from schemas.pending import RequestDecided, RequestEnd, RequestMade
from services.membership.moderation.decider import actor as who
from services.membership.refused import Refused

LIFE = timedelta(days=7)  # PENDING keeps a message for 14
DAY = timedelta(hours=24)
ENDS: Mapping[RequestWord, RequestEnd] = {
    "accept": "accepted",
    "reject": "rejected",
    "discard": "discarded",
}


class State(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The last request, and what became of it."""

    made: RequestMade | None = None
    decided: RequestDecided | None = None

    @property
    def waits(self) -> bool:
        """Whether it can be decided on."""
        return self.made is not None and self.decided is None


initial = State()


def fold(events: Iterable[Event]) -> State:
    """What the last message says."""
    state = initial
    for event in events:
        match event:
            case RequestMade():
                state = State(made=event)
            case RequestDecided():
                state = msgspec.structs.replace(state, decided=event)
            case _:
                pass
    return state


def decide_make(state: State, made: RequestMade) -> Sequence[Event]:
    """A new request; nothing while one waits or is being carried out, for the same mail again, and
    for a day after one was turned down."""
    if state.waits or (state.made is not None and state.made.cause == made.cause):
        return ()
    if turned_down(state, made.at) or (state.decided is not None and not state.decided.done):
        return ()
    return (made,)


def turned_down(state: State, at: datetime) -> bool:
    """Whether owners said no within the day before this time."""
    ended = state.decided
    return ended is not None and ended.end in ("rejected", "discarded") and at - ended.at < DAY


def decide_verdict(
    state: State, word: RequestWord, *, reason: str, by: str, actor: str, at: datetime
) -> Sequence[Event]:
    """The verdict, because of the mail or command `by`; nothing where the same gave it before.
    Raises Refused where there is no request, or it is decided."""
    if state.made is None:
        raise Refused(
            "unknown_request", "there is no such request; `postroad request ls` shows all"
        )
    if state.decided is not None:
        if state.decided.by == by:
            return ()
        raise Refused("decided", f"this request {told(state.decided)} already")
    end = RequestDecided(end=ENDS[word], reason=reason, by=by, actor=actor, at=at)
    return (state.made, end)


def decide_expire(state: State, *, actor: str, at: datetime) -> Sequence[Event]:
    """The end of a request that waited too long."""
    if state.made is None or state.decided is not None or at < state.made.expires:
        return ()
    end = RequestDecided(end="expired", by=state.made.cause, actor=actor, at=at)
    return (state.made, end)


def decide_done(state: State) -> Sequence[Event]:
    """The verdict is carried out."""
    if state.made is None or state.decided is None or state.decided.done:
        return ()
    return (state.made, msgspec.structs.replace(state.decided, done=True))


def told(decided: RequestDecided) -> str:
    """The verdict in words, as they follow "the request"."""
    when = f"{decided.at:%Y-%m-%d at %H:%M} UTC"
    if decided.end == "expired":
        return f"expired on {when}"
    return f"was {decided.end} by {who(decided.actor)} on {when}"
