"""Specification: how old something is, by time that the janitor lived through itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.marks import (
    FINE,
    LEAST_TICK,
    Diary,
    Ends,
    before,
    horizon,
    marked,
    older,
    tick,
)

HOUR, DAY = 3_600.0, 86_400.0
BORN = {"RAW": "2026-01-01T00:00:00Z"}
SETTINGS = (30 * DAY, 7 * DAY, 90 * DAY)


def lived(hours: int, passed: float = HOUR, diary: Diary | None = None) -> Diary:
    """A diary of so many ticks, each of which saw a message more."""
    diary = diary or Diary()
    seq = diary.marks[-1].ends["RAW"] if diary.marks else 0
    for number in range(1, hours + 1):
        diary = older(diary, passed, HOUR)
        diary = marked(diary, {"RAW": seq + number}, BORN, longest=90 * DAY)
    return diary


def test_what_lies_before_a_mark_is_as_old_as_the_mark() -> None:
    """After ten days a week is behind the message of three days after the start, and no later."""
    diary = lived(240)
    old = horizon(diary, 7 * DAY)
    assert old is not None
    assert 62 <= old["RAW"] <= 72
    assert before(old, {"RAW": 60})
    assert not before(old, {"RAW": 73})
    assert not before(old, {"RAW": 1, "SEND": 1})


def test_nothing_is_old_to_a_janitor_that_is_new() -> None:
    """However old a stream is, a new janitor lets it be for the whole age."""
    assert horizon(lived(24 * 6), 7 * DAY) is None
    assert not before(None, {})


def test_a_clock_that_leaps_is_believed_for_two_ticks() -> None:
    """Thirty days at once, as a machine that slept has it, count as two hours; going back as
    nothing."""
    assert older(Diary(lived=5.0), 30 * DAY, HOUR).lived == 5.0 + 2 * HOUR
    assert older(Diary(lived=5.0), -HOUR, HOUR).lived == 5.0


def test_a_stream_that_was_made_anew_begins_at_nothing() -> None:
    """Marks of a stream that is gone say nothing of the numbers of another."""
    diary = lived(24 * 40)
    assert horizon(diary, 30 * DAY) is not None
    again = marked(diary, {"RAW": 2000}, {"RAW": "2026-06-01T00:00:00Z"}, longest=90 * DAY)
    assert horizon(again, 0.0) == {"RAW": 2000}
    assert horizon(again, HOUR) is None
    assert len(marked(diary, {"RAW": 7}, BORN, longest=90 * DAY).marks) == 1


def test_a_tick_follows_the_shortest_age() -> None:
    """An hour for days; a part of a second for the seconds of a test."""
    assert tick(SETTINGS) == HOUR
    assert tick((30 * DAY, DAY / 2, 90 * DAY)) == HOUR / 2
    assert tick((1.0, 2.0, 3.0)) == LEAST_TICK


def test_a_diary_stays_small() -> None:
    """Of 100 days there are some hundred marks, and each age is still found within a sixteenth."""
    diary = lived(24 * 100)
    assert len(diary.marks) < 180
    for age in SETTINGS:
        old = horizon(diary, age)
        assert old is not None
        assert age <= diary.lived - old["RAW"] * HOUR <= age * (1 + 1 / FINE) + 2 * HOUR


@given(
    steps=st.lists(
        st.tuples(st.floats(-2 * DAY, 60 * DAY), st.integers(0, 50)), min_size=1, max_size=60
    ),
    age=st.floats(1.0, 5 * DAY),
)
def test_nothing_is_called_older_than_it_is(steps: list[tuple[float, int]], age: float) -> None:
    """Whatever a clock does between ticks, what a horizon covers was there when `age` seconds less
    were lived through; and what is older by a sixteenth and some ticks is covered."""
    diary, seq, history = Diary(), 0, list[tuple[float, int]]()
    for passed, new in steps:
        seq += new
        diary = older(diary, passed, HOUR)
        history.append((diary.lived, seq))
        diary = marked(diary, {"RAW": seq}, BORN, longest=6 * DAY)
    old: Ends = horizon(diary, age) or {"RAW": 0}
    true = max((seen for at, seen in history if diary.lived - at >= age), default=0)
    sure = age * (1 + 2 / FINE) + 4 * HOUR
    least = max((seen for at, seen in history if diary.lived - at >= sure), default=0)
    assert least <= old["RAW"] <= true
