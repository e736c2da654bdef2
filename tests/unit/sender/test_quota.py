"""Limits in a time: never one more, wherever it begins, whatever is under way or was before a
restart."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.road import Failure, Intent, Outcome, WindowRecorded
from services.sender.quota import DAY, Quota, Sent, counted, full, settle, take

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(hours: float) -> datetime:
    """So many hours after noon."""
    return NOON + timedelta(hours=hours)


def test_no_limit() -> None:
    """A limit of 0 is none."""
    quota = Quota(0)
    assert [take([quota], 1_000_000, NOON) for _ in range(3)] == [1_000_000] * 3


def test_the_part_that_fits() -> None:
    """A window that straddles the limit gets the room there is; what is under way counts, what
    was refused gives its room back."""
    quota = Quota(20)
    assert (take([quota], 16, NOON), take([quota], 16, NOON), take([quota], 16, NOON)) == (16, 4, 0)
    assert quota.goes_on() is None  # those under way may leave some
    quota.settle(16, 10, NOON)
    assert take([quota], 16, NOON) == 6
    quota.settle(4, 4, NOON)
    quota.settle(6, 6, at(1))
    assert take([quota], 1, at(2)) == 0
    assert quota.goes_on() == at(24)


def test_a_full_day_goes_on_in_earnest() -> None:
    """It goes on when a tenth of the limit is free, not for each single copy."""
    quota = Quota(100)
    for hour in range(100):
        assert take([quota], 1, at(hour / 10)) == 1
        quota.settle(1, 1, at(hour / 10))
    assert take([quota], 50, at(11)) == 0
    assert quota.goes_on() == at(24.9)
    assert take([quota], 50, at(24.8)) == 0
    assert take([quota], 50, at(24.9)) == 10


def test_several_limits_hold_together() -> None:
    """Of a rate a second, one an hour and a day's limit, the one with least room decides, and the
    one that is closed for longest says when it goes on."""
    second, hour = timedelta(seconds=1), timedelta(hours=1)
    quotas = [Quota(50, second), Quota(80, hour), Quota(0)]
    assert take(quotas, 64, NOON) == 50
    settle(quotas, 50, 50, NOON)
    assert take(quotas, 64, NOON) == 0
    assert full(quotas) == (quotas[0], NOON + second)
    assert take(quotas, 64, NOON + second) == 30
    settle(quotas, 30, 30, NOON + second)
    assert take(quotas, 64, NOON + 2 * second) == 0
    assert full(quotas) == (quotas[1], NOON + hour)


def test_a_limit_that_grows_day_by_day() -> None:
    """A relay that is warmed up gets what its day allows, from the date alone; in the end what
    it gets always."""
    steps = {date(2026, 11, 20): 50, date(2026, 11, 21): 100}
    quota = Quota(lambda day: steps.get(day, 0))
    assert take([quota], 80, NOON) == 50
    settle([quota], 50, 50, NOON)
    assert take([quota], 80, at(11)) == 0
    assert full([quota]) == (quota, at(12))  # midnight
    assert take([quota], 80, at(13)) == 50  # the next day, of 100
    settle([quota], 50, 50, at(13))
    assert take([quota], 1_000_000, at(40)) == 1_000_000


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
            under_way.append(take([quota], wanted, now))
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
        destination="gmail.com",
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
        Sent("out", "gmail.com", at(1), 14),
        Sent("out", "gmail.com", at(2), 5),
        Sent("out", "gmail.com", at(4), 5),
        Sent("out", "gmail.com", at(5), 0),
        Sent("out", "gmail.com", at(1), 4),  # chunk 0 is still open
    ]


def test_a_day_that_allows_more() -> None:
    """What was full on one day of warming up goes on at midnight, where the next allows more."""
    days = {date(2026, 3, 1): 20, date(2026, 3, 2): 100}
    quota = Quota(lambda day: days.get(day, 100))
    noon = datetime(2026, 3, 1, 12, 40, tzinfo=UTC)
    quota.add(20, noon)
    assert quota.room(5, noon) == 0
    assert quota.goes_on() == datetime(2026, 3, 2, tzinfo=UTC)
    assert quota.room(40, noon + timedelta(hours=6)) == 0
    assert quota.room(40, noon + timedelta(hours=12)) == 40
