"""What the broker keeps for later, summed up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from postroad.runtime.later import Later, Scheduled, limits, summed
from schemas import waiting

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LIMIT = "limit of 10 for example.net reached; goes on at {} UTC on 21 November"


def test_headers_tell_everything():
    """Copies, relay, reason and time are read from the headers of the scheduled chunk."""
    headers = {
        waiting.COPIES: "12",
        waiting.RELAY: "out",
        waiting.WHY: "the relay is paused",
        waiting.DUE: "@at 2026-11-21T12:00:00Z",
    }
    expected = Scheduled(due=NOON, copies=12, relay="out", why="the relay is paused")
    assert Scheduled.of(headers) == expected


def test_headers_that_say_nothing():
    """What another release scheduled is counted as a chunk all the same."""
    assert Scheduled.of({waiting.DUE: "@every 5m", waiting.COPIES: "-3"}) == Scheduled()


def test_one_limit_is_one_reason():
    """A limit is told until later each time somebody meets it: the newest stands for all."""
    found = [
        Scheduled(due=NOON, copies=5, relay="out", why=LIMIT.format("12:10")),
        Scheduled(due=NOON - timedelta(hours=1), copies=7, relay="out", why=LIMIT.format("12:40")),
        Scheduled(due=NOON, copies=1, why="refused for now"),
    ]
    told = summed(found)
    assert (told.copies, told.chunks, told.next) == (13, 3, NOON - timedelta(hours=1))
    first, second = told.reasons
    assert (first.why, first.copies, first.chunks) == (LIMIT.format("12:40"), 12, 2)
    assert (second.why, second.copies, second.next) == ("refused for now", 1, NOON)
    assert summed([]) == Later()


@given(
    st.lists(
        st.builds(
            Scheduled,
            due=st.none() | st.datetimes(timezones=st.just(UTC)),
            copies=st.integers(0, 500),
            relay=st.sampled_from(["", "out", "spare"]),
            why=st.sampled_from(["", "the relay is paused", LIMIT.format("12:10")]),
        )
    )
)
def test_nobody_is_counted_twice_or_left_out(found: list[Scheduled]):
    """The reasons together are all that is scheduled."""
    told = summed(found)
    assert told.copies == sum(reason.copies for reason in told.reasons)
    assert told.chunks == sum(reason.chunks for reason in told.reasons) == len(found)


def test_limits_are_found_among_other_words():
    """Of what is said of a relay, what is about limits of ours."""
    daily = "daily limit of 25 reached; goes on at 12:10 UTC on 22 November"
    assert limits(daily) == ((daily, ""),)
    behind = LIMIT.format("12:10")
    assert limits(f"slow.example slow; {behind}; {daily}") == (
        (behind, "example.net"),
        (daily, ""),
    )
    assert limits("451 4.7.0 connection limit reached") == ()
