"""How often an address is written to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.pending import Contacted
from services.membership.requests.limits import (
    ANSWERS,
    CONFIRMATIONS,
    DAY,
    State,
    answer,
    confirmation,
    confirmed,
    fold,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)

attempts = st.lists(
    st.tuples(
        st.sampled_from(["ask", "answer", "confirmed"]),
        st.sampled_from(["one", "two", "three", "four"]),  # list
        st.integers(0, 30),  # cause
        st.integers(0, 6 * 60),  # minutes since the attempt before
    ),
    max_size=60,
)


def asked(state: State, list_: str, cause: str, at: datetime = NOON) -> State:
    """The state once this list has asked; it must be allowed to."""
    after = confirmation(state, list_=list_, cause=cause, now=at)
    assert after is not None
    return after


def test_a_list_asks_once_a_day() -> None:
    """A question that waits for its answer is enough for a list and a day."""
    state = asked((), "one", "a")
    assert confirmation(state, list_="one", cause="b", now=NOON + DAY / 2) is None
    assert confirmation(state, list_="one", cause="b", now=NOON + DAY) is not None


def test_who_answered_can_be_asked_again() -> None:
    """A question that was answered keeps its list from nothing, but counts among the day's."""
    state = confirmed(asked((), "one", "a"), cause="a")
    state = confirmed(asked(state, "one", "b"), cause="b")
    state = confirmed(asked(state, "one", "c"), cause="c")
    assert confirmation(state, list_="one", cause="d", now=NOON) is None


def test_all_lists_together_ask_three_times() -> None:
    """The limit of a day holds over all lists."""
    state: State = ()
    for number in range(CONFIRMATIONS):
        state = asked(state, f"list {number}", f"cause {number}")
    assert confirmation(state, list_="another", cause="z", now=NOON) is None


def test_questions_and_answers_are_counted_apart() -> None:
    """Whoever used up the day's answers can still join a list."""
    state: State = ()
    for number in range(ANSWERS):
        state = answer(state, cause=str(number), now=NOON) or ()
    assert answer(state, cause="z", now=NOON) is None
    assert confirmation(state, list_="one", cause="z", now=NOON) is not None


def test_a_cause_met_again_changes_nothing() -> None:
    """A mail handled twice may send what it sent, and uses up no more."""
    state = asked((), "one", "a")
    assert asked(state, "one", "a") == state
    after = answer(state, cause="a", now=NOON)
    assert after is not None
    assert answer(after, cause="a", now=NOON) == after


@given(attempts)
def test_no_day_holds_more_than_the_limits(
    tried: list[tuple[str, str, int, int]],
) -> None:
    """Whatever is tried, no 24 hours hold more than three questions and three answers to one
    address, nor two unanswered questions of one list; and what is kept is bounded."""
    state: State = ()
    now = NOON
    sent: list[tuple[str, str, str, datetime]] = []
    for what, list_, number, minutes in tried:
        now += timedelta(minutes=minutes)
        cause = f"{what} {list_} {number}"
        if what == "confirmed":
            state = confirmed(state, cause=f"ask {list_} {number}")
            continue
        if what == "ask":
            after = confirmation(state, list_=list_, cause=cause, now=now)
        else:
            after = answer(state, cause=cause, now=now)
        if after is not None and after != state:
            sent.append((what, list_, cause, now))
        state = after if after is not None else state
        assert len(state) <= ANSWERS + CONFIRMATIONS
        recent = [each for each in sent if now - each[3] < DAY]
        assert sum(each[0] == "ask" for each in recent) <= CONFIRMATIONS
        assert sum(each[0] == "answer" for each in recent) <= ANSWERS
        waiting = [each.list for each in state if each.open and now - each.at < DAY]
        assert len(waiting) == len(set(waiting))


def test_the_last_event_counts() -> None:
    """The aggregate's one message says all there is to say."""
    state = asked((), "one", "a")
    assert fold([Contacted(contacts=state), Contacted(contacts=())]) == ()
    assert fold([]) == ()
