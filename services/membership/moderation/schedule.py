"""When owners are told of held mail, and when it has waited long enough. Pure.

The first letter goes at once. As long as more is held there is one an hour at most, and as long as
anything waits one a day. A mail expires `max_days_to_hold` days after the owners were told of it,
so nobody loses mail that they never heard of, whatever was away for how long. On a list with nobody
to tell the days count all the same.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from schemas.pending import HeldMark, HeldTold

HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)


def daily(told: HeldTold | None, now: datetime) -> bool:
    """Whether the daily letter is due, if anything waits."""
    return told is None or not told.days or now - told.days[-1].at >= DAY


def due(told: HeldTold | None, newest: int, now: datetime) -> bool:
    """Whether a letter is due; `newest` is the sequence of the last mail that waits."""
    if told is not None and newest > told.upto and now - told.at >= HOUR:
        return True
    return daily(told, now)


def expired(told: HeldTold | None, days: int, now: datetime) -> int:
    """Up to which sequence mail has waited `days` days since the owners knew of it; 0 for none."""
    if told is None or days <= 0:
        return 0
    long_ago = now - timedelta(days=days)
    return max((mark.upto for mark in told.days if mark.at <= long_ago), default=0)


def claim(told: HeldTold | None, list_: str, upto: int, days: int, now: datetime) -> HeldTold:
    """What is stored before a letter is written that tells of all mail up to `upto`."""
    marks = told.days if told else ()
    if daily(told, now):
        marks = (*marks, HeldMark(upto=upto, at=now))
    long_ago = now - timedelta(days=max(days, 1))
    past = [mark for mark in marks if mark.at <= long_ago]
    kept = (*past[-1:], *(mark for mark in marks if mark.at > long_ago))
    return HeldTold(list=list_, after=told.upto if told else 0, upto=upto, at=now, days=kept)
