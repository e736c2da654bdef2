"""How often an address is written to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.pending import Action, Contacted
from services.membership.requests.limits import (
    DAY,
    LETTERS,
    STRANGERS,
    LimitedError,
    State,
    answer,
    confirmation,
    confirmed,
    fold,
    inbox,
    replaced,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ACTIONS: list[Action] = ["join", "leave", "mail_off"]

attempts = st.lists(
    st.tuples(
        st.sampled_from(["ask", "answer", "yes", "no"]),
        st.sampled_from(["one", "two", "three", "four"]),  # list
        st.sampled_from(ACTIONS),
        st.integers(0, 30),  # cause
        st.integers(0, 6 * 60),  # minutes since the attempt before
    ),
    max_size=60,
)


def asked(
    state: State,
    list_: str,
    cause: str,
    at: datetime = NOON,
    *,
    action: Action = "join",
    about: str = "",
    proved: bool = False,
) -> State:
    """The state once this list has asked."""
    return confirmation(
        state,
        list_=list_,
        action=action,
        about=about,
        question=f"question {cause}",
        cause=cause,
        now=at,
        proved=proved,
    )


def test_a_list_asks_the_same_once_a_day() -> None:
    """A question that nobody answered is enough for a list and a day."""
    state = asked((), "one", "a")
    with pytest.raises(LimitedError):
        asked(state, "one", "b", NOON + DAY / 2)
    assert asked(state, "one", "b", NOON + DAY)


def test_another_question_takes_the_place_of_the_one_that_waits() -> None:
    """Forged joins do not keep their victim from leaving: one question of a list waits, the
    latest; other lists' are let alone."""
    state = asked(asked((), "one", "a"), "two", "b")
    state = asked(state, "one", "c", action="leave")
    assert [each.cause for each in state if each.open] == ["b", "c"]
    assert replaced(state, list_="one", cause="c") == ("question a",)
    with pytest.raises(LimitedError):
        asked(state, "one", "a")  # handled again, its place is taken


def test_another_address_is_another_question() -> None:
    """A forger's wish for their own address does not keep its victim from wishing for another; the
    later question is the one that waits."""
    state = asked((), "one", "forged", action="move_away", about="a stranger's")
    state = asked(state, "one", "own", action="move_away", about="mine")
    assert [each.cause for each in state if each.open] == ["own"]
    assert replaced(state, list_="one", cause="own") == ("question forged",)
    with pytest.raises(LimitedError):
        asked(state, "one", "again", action="move_away", about="mine")


def test_what_was_replaced_is_asked_again_for_its_author_alone() -> None:
    """Asking alternately for two things makes one mail of each; only who proves to be the author
    gets back the question that a forger's took the place of."""
    state = asked(asked((), "one", "a"), "one", "b", action="leave")
    with pytest.raises(LimitedError):
        asked(state, "one", "c")
    state = asked(state, "one", "c", proved=True)
    assert [each.cause for each in state if each.open] == ["c"]
    with pytest.raises(LimitedError):
        asked(state, "one", "d", proved=True)


def test_who_said_yes_can_be_asked_again() -> None:
    """A question that was answered keeps its list from nothing, but counts among the day's."""
    state = confirmed(asked((), "one", "a"), cause="a", yes=True)
    state = confirmed(asked(state, "one", "b"), cause="b", yes=True)
    state = confirmed(asked(state, "one", "c"), cause="c", yes=True)
    with pytest.raises(LimitedError):
        asked(state, "one", "d")
    assert not replaced(state, list_="one", cause="c")


def test_who_said_no_is_not_asked_the_same_again() -> None:
    """For a day; something else they may be asked."""
    state = confirmed(asked((), "one", "a"), cause="a", yes=False)
    with pytest.raises(LimitedError):
        asked(state, "one", "b", NOON + DAY / 2)
    assert asked(state, "one", "b", action="leave")


def test_all_lists_together_ask_three_times() -> None:
    """The limit of a day holds over all lists, also for who is proved."""
    state: State = ()
    for number in range(LETTERS):
        state = asked(state, f"list {number}", f"cause {number}")
    with pytest.raises(LimitedError):
        asked(state, "another", "z", proved=True)


def test_questions_and_answers_are_counted_together() -> None:
    """Whatever a forger asks for, three letters go out; one that was answered by yes is wanted, and
    counts no more."""
    state = answer(asked((), "one", "a"), cause="b", now=NOON)
    state = answer(state, cause="c", now=NOON)
    with pytest.raises(LimitedError):
        answer(state, cause="d", now=NOON)
    with pytest.raises(LimitedError):
        asked(state, "two", "d")
    assert asked(confirmed(state, cause="a", yes=True), "two", "d")
    with pytest.raises(LimitedError):
        asked(confirmed(state, cause="a", yes=False), "two", "d")


def test_no_forger_silences_who_is_proved() -> None:
    """What the address itself causes is counted for itself, three a day, and with all else."""
    state: State = ()
    for number in range(LETTERS):
        state = answer(state, cause=f"forged {number}", now=NOON)
    for number in range(LETTERS):
        state = answer(state, cause=str(number), now=NOON, proved=True)
    with pytest.raises(LimitedError):
        answer(state, cause="z", now=NOON, proved=True)
    with pytest.raises(LimitedError):
        answer(state[LETTERS:], cause="z", now=NOON)


def test_all_who_may_be_forged_are_counted_together() -> None:
    """A list answers 200 of them a day; a limit of more is a limit."""
    state: State = ()
    for number in range(STRANGERS):
        state = answer(state, cause=str(number), now=NOON, most=STRANGERS)
    with pytest.raises(LimitedError):
        answer(state, cause="z", now=NOON, most=STRANGERS)


def test_a_cause_met_again_changes_nothing() -> None:
    """A mail handled twice may send what it sent, and uses up no more, answered or not."""
    state = asked((), "one", "a")
    assert asked(state, "one", "a") == state
    done = confirmed(state, cause="a", yes=True)
    assert asked(done, "one", "a") == done
    after = answer(state, cause="a", now=NOON)
    assert answer(after, cause="a", now=NOON) == after


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("anna@example.net", "anna@example.net"),
        ("anna+1@example.net", "anna@example.net"),
        ("anna+a+b@example.net", "anna@example.net"),
        ("+1@example.net", "+1@example.net"),
        ("a.nna@example.net", "a.nna@example.net"),
        ("a.n.na+x@gmail.com", "anna@gmail.com"),
        ("anna@googlemail.com", "anna@gmail.com"),
    ],
)
def test_one_inbox_is_counted_once(address: str, counted: str) -> None:
    """What follows a plus makes no new inbox to flood, nor do dots where they say nothing."""
    assert inbox(address) == counted


@given(attempts)
def test_no_day_holds_more_than_the_limits(
    tried: list[tuple[str, str, Action, int, int]],
) -> None:
    """Whatever is tried, no 24 hours hold more than three letters to one address that it did not
    say yes to, nor more than three questions, nor two questions of one list that wait, nor two
    alike that nobody said yes to; and what is kept is bounded."""
    state: State = ()
    now = NOON
    sent: list[tuple[str, str, Action, str, datetime]] = []
    agreed: set[str] = set()
    for what, list_, action, number, minutes in tried:
        now += timedelta(minutes=minutes)
        cause = f"{list_} {action} {number}"
        before = state
        try:
            if what == "ask":
                state = asked(state, list_, cause, now, action=action)
            elif what == "answer":
                state = answer(state, cause=cause, now=now)
            else:
                state = confirmed(state, cause=cause, yes=what == "yes")
                agreed |= {cause} if what == "yes" else set()
        except LimitedError:
            continue
        if what in ("ask", "answer") and state != before:
            sent.append((what, list_, action, cause, now))
        assert len(state) <= 2 * LETTERS
        recent = [each for each in sent if now - each[-1] < DAY]
        assert sum(each[0] == "ask" for each in recent) <= LETTERS
        unasked = [each for each in recent if each[3] not in agreed or each[0] == "answer"]
        assert len(unasked) <= LETTERS
        alike = [each[1:3] for each in recent if each[0] == "ask" and each[3] not in agreed]
        assert len(alike) == len(set(alike))
        waiting = [each.list for each in state if each.open and now - each.at < DAY]
        assert len(waiting) == len(set(waiting))


def test_the_last_event_counts() -> None:
    """The aggregate's one message says all there is to say."""
    state = asked((), "one", "a")
    assert fold([Contacted(contacts=state), Contacted(contacts=())]) == ()
    assert fold([]) == ()
