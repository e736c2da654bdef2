"""Times as rows of projections hold them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(time: datetime) -> int:
    """Microseconds since the epoch; exact, as floats are not. A time without a zone is UTC."""
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return (time - EPOCH) // _MICROSECOND


def micros_or_none(time: datetime | None) -> int | None:
    """The same, or None."""
    return None if time is None else micros(time)
