"""Times of the past as people type them. Pure but for the machine's time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from postroad.runtime.errors import SettingsError, UsageError
from postroad.runtime.quantities import duration


def time_of(text: str, option: str = "--at") -> tuple[datetime, bool]:
    """The time that `text` means, and whether its zone was said: ISO 8601, a date (its beginning),
    or with Z or an offset; without, it is of the machine's zone. Raises UsageError."""
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"{option} {text}: not a time such as 2026-10-01, 2026-10-01T12:00, "
            "2026-10-01T12:00Z or 2026-10-01T12:00+02:00"
        ) from None
    if time.tzinfo:
        return time, True
    try:
        here = time.astimezone()
        there_was = here.astimezone(UTC).astimezone().replace(tzinfo=None, fold=0) == time
    except (OverflowError, OSError, ValueError):
        raise UsageError(f"{option} {text}: no time that a list can have had") from None
    if not there_was:
        raise UsageError(
            f"{option} {text}: the clock of this machine's zone skipped that time; give it with "
            "an offset"
        )
    return here, False


def since(text: str, now: datetime, option: str = "--since") -> datetime:
    """The time that `text` means: as `time_of`, or so long ago (`30d`, `2h`). Raises UsageError."""
    try:
        return now - timedelta(seconds=duration(text))
    except SettingsError:
        try:
            return time_of(text, option)[0]
        except UsageError as error:
            raise UsageError(f"{error}; or how long ago, such as 30d or 2h") from None
    except OverflowError:
        raise UsageError(f"{option} {text}: no time that a list can have had") from None
