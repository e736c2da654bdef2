"""When a mail came to the server that has it: the date of its topmost Received. Pure.

That field is written by the last server (RFC 5321 section 4.4), so no author can forge it, and it
is the same in every copy that is read.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice

from postroad.mail.fields import fields

FIELDS = 50  # looked at
VALUE = 200  # octets at the end of one
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(  # RFC 5322 section 3.3, at the end of the field but for a comment
    rb"(?:;|\A)\s*(?:[A-Za-z]{3},)?\s*(\d{1,2})\s+([A-Za-z]{3})\s+(\d{4})\s+"
    rb"(\d\d):(\d\d)(?::(\d\d))?\s+(?:([+-])(\d\d)([0-5]\d)|(?:GMT|UTC?|Z)\b)"
)


def arrived(data: bytes) -> datetime | None:
    """The date of the first Received of a mail, in UTC; None where there is none that makes
    sense."""
    return _dated(data, b"received")


def postmark(data: bytes) -> datetime | None:
    """As `arrived`, else the Date: the same in every copy of the bytes, and proof of nothing."""
    return _dated(data, b"received") or _dated(data, b"date")


def written_at(text: str) -> datetime | None:
    """The moment that the text of a Date field names, in UTC; None where it makes no sense."""
    return _date(text.encode("utf-8", "replace"))


def _dated(data: bytes, name: bytes) -> datetime | None:
    """The date in the first field of this name."""
    for field in islice(fields(data), FIELDS):
        if field.name.lower() == name:
            start = max(field.value_start, field.value_end - VALUE)
            return _date(data[start : field.value_end])
    return None


def _date(value: bytes) -> datetime | None:
    found = _DATE.search(value)
    if found is None or (month := found[2].decode().lower()) not in _MONTHS:
        return None
    minutes = int(found[8]) * 60 + int(found[9]) if found[7] else 0
    offset = timedelta(minutes=-minutes if found[7] == b"-" else minutes)
    year, day, hour, minute, second = (int(found[n] or 0) for n in (3, 1, 4, 5, 6))
    try:
        at = datetime(
            year,
            _MONTHS.index(month) + 1,
            day,
            hour,
            minute,
            min(second, 59),
            tzinfo=timezone(offset),
        )
        at = at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if 1970 <= at.year < 10_000 else None
