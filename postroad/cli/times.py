"""Times of the past as people type them. Pure but for the machine's time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from postroad.runtime.errors import SettingsError, UsageError
from postroad.runtime.quantities import duration

FORMS = "2026-10-01, 2026-10-01T12:00, 2026-10-01T12:00Z or 2026-10-01T12:00+02:00"
AGO = "how long ago, such as 30d, 12h or 90m"


def time_of(text: str, option: str = "--at", *, or_: str = "") -> tuple[datetime, bool]:
    """The time that `text` means, and whether its zone was said: ISO 8601, a date (its beginning),
    or with Z or an offset; without, it is of the machine's zone. `or_` is what else the option
    takes. Raises UsageError."""
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        other = f"; nor {or_}" if or_ else ""
        raise UsageError(f"{option} {text}: not a time such as {FORMS}{other}") from None
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


def since(text: str, now: datetime, option: str = "--since", *, ahead: bool = False) -> datetime:
    """The time that `text` means: as `time_of`, or so long ago (`30d`, `2h`). Raises UsageError,
    also for one that is still to come, unless it may lie `ahead`."""
    try:
        found = now - timedelta(seconds=duration(text))
    except SettingsError:
        found = time_of(text, option, or_=AGO)[0]
    except OverflowError:
        raise UsageError(f"{option} {text}: no time that a list can have had") from None
    if found > now and not ahead:
        raise UsageError(f"{option} {text}: that is still to come")
    return found


def plain(time: datetime) -> str:
    """A time as questions to the projector have it: of UTC, without a zone."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat()
