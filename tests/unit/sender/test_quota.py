"""A daily limit: any 24 hours, never one more, whatever is under way or was before a restart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.road import Failure, Intent, Outcome, WindowRecorded
from services.sender.quota import DAY, Quota, counted

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(hours: float) -> datetime:
    """So many hours after noon."""
    return NOON + timedelta(hours=hours)


def test_no_limit() -> None:
    """A limit of 0 is none."""
    quota = Quota(0)
    assert [quota.take(1_000_000, NOON) for _ in range(3)] == [1_000_000] * 3


def test_the_part_that_fits() -> None:
    """A window that straddles the limit gets the room there is; what is under way counts, what
    was refused gives its room back."""
    quota = Quota(20)
    assert (quota.take(16, NOON), quota.take(16, NOON), quota.take(16, NOON)) == (16, 4, 0)
    assert quota.goes_on() is None  # those under way may leave some
    quota.settle(16, 10, NOON)
    assert quota.take(16, NOON) == 6
    quota.settle(4, 4, NOON)
    quota.settle(6, 6, at(1))
    assert quota.take(1, at(2)) == 0
    assert quota.goes_on() == at(24)


def test_a_full_day_goes_on_in_earnest() -> None:
    """It goes on when a tenth of the limit is free, not for each single copy."""
    quota = Quota(100)
    for hour in range(100):
        assert quota.take(1, at(hour / 10)) == 1
        quota.settle(1, 1, at(hour / 10))
    assert quota.take(50, at(11)) == 0
    assert quota.goes_on() == at(24.9)
    assert quota.take(50, at(24.8)) == 0
    assert quota.take(50, at(24.9)) == 10


@given(
    st.lists(
        st.tuples(
            st.integers(0, 30), st.integers(1, 20), st.floats(0, 1), st.integers(0, 3600 * 30)
        ),
        max_size=60,
    )
)
def test_never_one_more(steps: list[tuple[int, int, float, int]]) -> None:
    """However many are taken, refused and settled late, no 24 hours have more than the limit."""
    quota = Quota(25)
    now, sent = NOON, list[tuple[datetime, int]]()
    under_way: list[int] = []
    for count, wanted, share, seconds in steps:
        now += timedelta(seconds=seconds)
        if under_way and count % 3 == 0:
            taken = under_way.pop()
            used = round(taken * share)
            quota.settle(taken, used, now)
            sent.append((now, used))
        else:
            under_way.append(quota.take(wanted, now))
        recent = sum(used for when, used in sent if when > now - DAY)
        assert recent + sum(under_way) <= 25


def entry(
    chunk: str, outcome: tuple[int, int, int] | None, intent: tuple[int, int] | None
) -> WindowRecorded:
    """A ledger entry: outcome (start, end, failures) and intent (start, end)."""
    count = outcome[2] if outcome else 0
    failures = tuple(Failure(index=n, code=550, kind="failed") for n in range(count))
    return WindowRecorded(
        mail_id="m",
        list="l",
        chunk=chunk,
        relay="out",
        outcome=outcome and Outcome(start=outcome[0], end=outcome[1], failures=failures),
        intent=intent and Intent(start=intent[0], end=intent[1], people=()),
    )


def test_what_the_ledger_tells() -> None:
    """Outcomes count what was accepted; an intent counts in full as long as nobody knows, and
    again where a successor sent the window again."""
    ledger = [
        (at(0), entry("0", None, (0, 16))),
        (at(1), entry("0", (0, 16, 2), (16, 20))),  # 14
        (at(2), entry("1", None, (0, 5))),
        (at(3), entry("1", None, (0, 5))),  # its worker died: 5, and again
        (at(4), entry("1", (0, 5, 0), None)),  # 5
        (at(5), entry("2", (0, 3, 3), None)),  # nobody
    ]
    assert list(counted(ledger)) == [
        ("out", at(1), 14),
        ("out", at(2), 5),
        ("out", at(4), 5),
        ("out", at(5), 0),
        ("out", at(1), 4),  # chunk 0 is still open
    ]
