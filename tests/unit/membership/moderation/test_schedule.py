"""When owners are told of held mail, and when it expires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.pending import HeldTold
from services.membership.moderation.schedule import DAY, HOUR, claim, due, expired

BEGAN = datetime(2026, 3, 9, 8, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def told(*letters: tuple[timedelta, int], days: int = 30) -> HeldTold | None:
    """What is known after letters at these times that told of all up to these sequences."""
    state: HeldTold | None = None
    for after, upto in letters:
        state = replace(claim(state, "team", upto, days, BEGAN + after), done=True)
    return state


def test_the_first_mail_is_told_at_once() -> None:
    """Nobody was told of anything yet."""
    assert due(None, 5, BEGAN)


def test_more_is_told_an_hour_later() -> None:
    """A flood makes one letter an hour, and what is no news makes none."""
    once = told((0 * HOUR, 5))
    assert not due(once, 6, BEGAN + HOUR - MINUTE)
    assert due(once, 6, BEGAN + HOUR)
    assert not due(once, 5, BEGAN + HOUR)


def test_what_waits_is_told_again_each_day() -> None:
    """Also where letters about news went in between."""
    busy = told((0 * HOUR, 5), (2 * HOUR, 6), (5 * HOUR, 7))
    assert not due(busy, 7, BEGAN + DAY - MINUTE)
    assert due(busy, 7, BEGAN + DAY)


def test_mail_expires_so_many_days_after_owners_knew() -> None:
    """Not so many days after it came, and never what came after the letter."""
    known = told((0 * DAY, 5), (1 * DAY, 9), (2 * DAY, 9), days=3)
    assert expired(known, 3, BEGAN + 3 * DAY - MINUTE) == 0
    assert expired(known, 3, BEGAN + 3 * DAY) == 5
    assert expired(known, 3, BEGAN + 4 * DAY) == 9
    assert expired(known, 0, BEGAN + 400 * DAY) == 0
    assert expired(None, 3, BEGAN) == 0


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(1, 50)), max_size=40),
    st.integers(1, 20),
)
def test_nothing_expires_before_its_time(steps: list[tuple[int, int]], days: int) -> None:
    """However letters go: what expires was in one that is at least `days` old, and as little is
    kept as that takes."""
    at, newest = BEGAN, 0
    state: HeldTold | None = None
    letters: list[tuple[datetime, int]] = []
    for minutes, more in steps:
        at, newest = at + minutes * MINUTE, newest + more
        if due(state, newest, at):
            state = claim(state, "team", newest, days, at)
            letters.append((at, newest))
            assert len(state.days) <= days + 2
        old = [upto for when, upto in letters if at - when >= days * DAY]
        assert expired(state, days, at) <= max(old, default=0)
