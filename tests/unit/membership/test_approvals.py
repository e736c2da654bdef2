"""One request of one person, and the one verdict on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.approvals import RequestWord
from schemas.envelope import Event
from schemas.pending import RequestDecided, RequestMade
from services.membership.approvals.decider import (
    DAY,
    LIFE,
    State,
    decide_done,
    decide_expire,
    decide_make,
    decide_verdict,
    fold,
    initial,
)
from services.membership.refused import Refused

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def made(cause: str = "m1", at: datetime = NOON) -> RequestMade:
    """Anna's wish to join."""
    return RequestMade(
        list="team",
        action="join",
        address="anna@example.net",
        cause=cause,
        at=at,
        expires=at + LIFE,
    )


def verdict(state: State, word: RequestWord, by: str = "v1") -> Sequence[Event]:
    """A moderator's verdict, because of the mail `by`."""
    return decide_verdict(state, word, reason="", by=by, actor="person:mod", at=NOON)


def after(state: State, events: Sequence[Event]) -> State:
    """What stands then: a message holds all there is to say."""
    return fold(events) if events else state


hours = st.integers(0, 400).map(lambda hour: NOON + timedelta(hours=hour))
causes = st.sampled_from(["m1", "m2", "m3"])
words = st.sampled_from(["accept", "reject", "discard"])
commands = st.one_of(
    st.builds(lambda cause, at: partial(decide_make, made=made(cause, at)), causes, hours),
    st.builds(lambda word, by: partial(verdict, word=word, by=by), words, causes),
    st.builds(lambda at: partial(decide_expire, actor="", at=at), hours),
    st.just(decide_done),
)


@given(st.lists(commands, max_size=8), commands)
def test_the_same_again_decides_nothing(
    history: list[partial[Sequence[Event]]], command: partial[Sequence[Event]]
) -> None:
    """Whatever happened, a command given again yields no events, or is refused; a verdict stands
    until another request is made; and every message tells the whole."""
    state = initial
    for each in (*history, command):
        try:
            events = each(state)
        except Refused:
            continue
        then = after(state, events)
        if state.decided is not None and then.made == state.made:
            assert then.decided is not None
            assert then.decided.end == state.decided.end
        assert not events or isinstance(events[0], RequestMade)
        state = then
    try:
        state = after(state, command(state))
        assert not command(state)
    except Refused:
        pass


def test_of_two_moderators_one_decides() -> None:
    """The second reads what the first decided; the first, asked again, decides nothing new."""
    accepted = after(initial, verdict(fold([made()]), "accept"))
    assert verdict(accepted, "accept") == ()
    with pytest.raises(Refused, match="was accepted by a moderator by mail on 2026-11-21"):
        verdict(accepted, "reject", by="v2")


def test_who_was_turned_down_waits_a_day() -> None:
    """Owners are not asked again by whom they turned down today; somebody who waits does not wait
    twice."""
    waiting = fold([made()])
    assert decide_make(waiting, made("m2")) == ()
    rejected = fold(decide_done(fold(verdict(waiting, "reject"))))
    assert decide_make(rejected, made("m2", NOON + DAY / 2)) == ()
    assert decide_make(rejected, made("m2", NOON + DAY)) == (made("m2", NOON + DAY),)


def test_a_request_expires_once() -> None:
    """After seven days, and not where somebody decided before."""
    waiting = fold([made()])
    assert decide_expire(waiting, actor="", at=NOON + LIFE / 2) == ()
    _, end = decide_expire(waiting, actor="", at=NOON + LIFE)
    assert isinstance(end, RequestDecided)
    assert end.end == "expired"
    assert decide_expire(fold(verdict(waiting, "accept")), actor="", at=NOON + LIFE) == ()
