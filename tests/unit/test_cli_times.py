"""Times of the past as people type them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from postroad.cli.times import since, time_of
from postroad.runtime.errors import UsageError

NOON = datetime(2026, 10, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in Berlin, by a rule that needs no database of zones."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("typed", "hour", "said"),
    [
        ("2026-10-01T12:00Z", 12, True),
        ("2026-10-01T12:00+05:00", 7, True),
        ("2026-10-01T12:00", 10, False),
        ("2026-10-01 12:00:00", 10, False),
        ("2026-11-01T12:00", 11, False),
    ],
)
def test_a_time_without_zone_is_of_the_machine_s(typed: str, hour: int, said: bool) -> None:
    """Z and offsets are taken as they are; without, the machine's zone counts, as on that day."""
    found, zone = time_of(typed)
    assert (found.astimezone(UTC).hour, zone) == (hour, said)


def test_a_date_is_its_beginning() -> None:
    """A date means midnight where the machine is."""
    assert time_of("2026-10-01")[0] == datetime(2026, 9, 30, 22, tzinfo=UTC)


def test_a_time_that_the_clock_skipped_is_refused() -> None:
    """As the clocks go forward there is no 02:30; as they go back the first one is meant."""
    with pytest.raises(UsageError, match="skipped that time"):
        time_of("2026-03-29T02:30")
    assert time_of("2026-10-25T02:30")[0].astimezone(UTC).hour == 0


@pytest.mark.parametrize("typed", ["yesterday", "", "2026-13-01", "0001-01-01"])
def test_what_is_no_time_is_refused(typed: str) -> None:
    """The refusal shows how a time is written, or is about what no list can have seen."""
    with pytest.raises(UsageError, match="--at"):
        time_of(typed)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("30d", datetime(2026, 9, 20, 12, tzinfo=UTC)),
        ("90m", datetime(2026, 10, 20, 10, 30, tzinfo=UTC)),
        ("2026-10-01", datetime(2026, 9, 30, 22, tzinfo=UTC)),
        ("2026-10-01T12:00Z", datetime(2026, 10, 1, 12, tzinfo=UTC)),
    ],
)
def test_since_is_a_time_or_how_long_ago(typed: str, found: datetime) -> None:
    """--since takes both forms everywhere."""
    assert since(typed, NOON) == found


@pytest.mark.parametrize("typed", ["yesterday", "30 days", "-3d", "1w", "20/11/2026", ""])
def test_what_is_no_since_names_every_form_there_is(typed: str) -> None:
    """Whoever guesses is told how a time is written, and how long ago is."""
    with pytest.raises(UsageError, match=r"--since .*2026-10-01, .*how long ago, such as 30d"):
        since(typed, NOON)


@pytest.mark.parametrize("typed", ["2026-10-21", "2026-10-20T12:01Z", "99999999d"])
def test_since_lies_in_the_past(typed: str) -> None:
    """A time to come, or before all time, is refused, but where an option may lie ahead."""
    with pytest.raises(UsageError, match="--since"):
        since(typed, NOON)
    if "-" in typed:
        assert since(typed, NOON, ahead=True) > NOON
