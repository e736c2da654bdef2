"""Times in rows: microseconds since the epoch. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us(time: datetime) -> int:
    """Microseconds since the epoch of a time that knows its zone."""
    since = time - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def maybe_us(time: datetime | None) -> int | None:
    """The same, where there may be none."""
    return None if time is None else us(time)
