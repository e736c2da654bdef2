"""How many recipients a relay may still be given within 24 hours (pure).

The provider counts its own way and locks an account that goes over; so what may have gone out
counts as gone, and room is taken before a window is sent, not after. Of what is on disk the
ledger tells: see `counted`. Several sender processes count apart from each other: a relay with
a daily limit wants one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from schemas.road import Intent, WindowRecorded

DAY = timedelta(hours=24)


class Quota:
    """The count of one relay. `limit` in recipients within any 24 hours, 0 for no limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._sent: deque[tuple[datetime, int]] = deque()  # oldest first
        self._total = 0  # of all in it
        self._taken = 0  # given out, not settled yet
        self._closed_until: datetime | None = None

    def take(self, wanted: int, now: datetime) -> int:
        """Room for so many recipients or fewer, 0 for none; to be settled.

        Once the limit is reached there is none until a tenth of it is free again: a full day
        must not end in a trickle of one copy, and one alarm, a minute.
        """
        if not self.limit:
            return wanted
        self._forget(now)
        if self._closed_until is not None and now < self._closed_until:
            return 0
        self._closed_until = None
        got = max(0, min(wanted, self.limit - self._total - self._taken))
        if not got and not self._taken:
            self._closed_until = self._opens()
        self._taken += got
        return got

    def settle(self, taken: int, used: int, now: datetime) -> None:
        """Of room `taken`, `used` recipients have, or may have, got their copy."""
        if self.limit:
            self._taken -= taken
            self.add(used, now)

    def add(self, used: int, at: datetime) -> None:
        """So many were sent then. Times come in order, or nearly."""
        if used:
            self._sent.append((at, used))
            self._total += used

    def goes_on(self) -> datetime | None:
        """When there is room again; None where windows under way may still leave some."""
        return self._closed_until

    def _forget(self, now: datetime) -> None:
        while self._sent and self._sent[0][0] <= now - DAY:
            self._total -= self._sent.popleft()[1]

    def _opens(self) -> datetime:
        wanted = max(1, self.limit // 10)
        free = self.limit - self._total
        for at, count in self._sent:
            free += count
            if free >= wanted:
                return at + DAY
        raise AssertionError("the limit is reached by what was sent")


def counted(
    ledger: Iterable[tuple[datetime, WindowRecorded]],
) -> Iterator[tuple[str, datetime, int]]:
    """(relay, time, recipients) of what ledger entries tell was sent, or may have been.

    An intent counts in full until the next entry of its chunk tells the outcome.
    """
    open_: dict[tuple[str, str, str], tuple[str, datetime, int]] = {}
    for at, entry in ledger:
        chunk = entry.list, entry.mail_id, entry.chunk
        before = open_.pop(chunk, None)
        if entry.outcome is not None:
            accepted = entry.outcome.end - entry.outcome.start - len(entry.outcome.failures)
            yield entry.relay, at, accepted
        elif before is not None:
            yield before  # sent by a worker that died, and again by the next
        if entry.intent is not None:
            open_[chunk] = entry.relay, at, _open(entry.intent)
    yield from sorted(open_.values(), key=lambda each: each[1])


def _open(intent: Intent) -> int:
    """How many may have gone out by an intent."""
    return intent.end - intent.start - len(intent.without) - len(intent.sent)
