"""How many recipients a relay, or a domain through it, may still be given in a time (pure).

A provider counts its own way and locks an account that goes over; so what may have gone out
counts as gone, and room is taken before a window is sent, not after. A limit holds for any
stretch of its length, wherever it begins. Of what is on disk the ledger tells: see `counted`.
Several sender processes count apart from each other: what is limited wants one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from schemas.road import Intent, Outcome, WindowRecorded

DAY = timedelta(hours=24)


class Quota:
    """One limit: so many recipients within any stretch of `per`, 0 for no limit. `limit` may
    be another on each day."""

    def __init__(self, limit: int | Callable[[date], int], per: timedelta = DAY) -> None:
        self.limit = limit if isinstance(limit, int) else 0  # as last looked up
        self.per = per
        self._on = None if isinstance(limit, int) else limit
        self._sent: deque[tuple[datetime, int]] = deque()  # oldest first
        self._total = 0  # of all in it
        self._taken = 0  # given out, not settled yet
        self._closed_until: datetime | None = None

    def lasts(self, seconds: float) -> bool:
        """Whether it limits more than so many seconds at once."""
        limits = bool(self.limit) or self._on is not None
        return limits and self.per.total_seconds() > seconds

    def room(self, wanted: int, now: datetime) -> int:
        """Room for so many recipients or fewer, 0 for none; to be held, then settled.

        Once the limit is reached there is none until a tenth of it is free again: a full day
        must not end in a trickle of one copy, and one alarm, a minute.
        """
        if self._on is not None:
            self.limit = self._on(now.date())
        self._forget(now)
        if not self.limit:
            return wanted
        if self._closed_until is not None and now < self._closed_until:
            return 0
        self._closed_until = None
        got = max(0, min(wanted, self.limit - self._total - self._taken))
        if not got and not self._taken:
            self._closed_until = min(self._opens(), self._raised(now))
        return got

    def hold(self, count: int) -> None:
        """So many are about to be sent."""
        self._taken += count

    def settle(self, taken: int, used: int, now: datetime) -> None:
        """Of those held, `taken`, `used` recipients have, or may have, got their copy."""
        self._taken -= taken
        self.add(used, now)

    def add(self, used: int, at: datetime) -> None:
        """So many were sent then. Times come in order, or nearly."""
        if used and (self.limit or self._on is not None):
            self._sent.append((at, used))
            self._total += used

    def goes_on(self) -> datetime | None:
        """When there is room again; None where windows under way may still leave some."""
        return self._closed_until

    def _forget(self, now: datetime) -> None:
        while self._sent and self._sent[0][0] <= now - self.per:
            self._total -= self._sent.popleft()[1]

    def _raised(self, now: datetime) -> datetime:
        """When another day begins that allows more; the end of time where the next does not."""
        tomorrow = datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo)
        then = self._on(tomorrow.date()) if self._on is not None else self.limit
        more = then > self.limit or not then
        return tomorrow if more else datetime.max.replace(tzinfo=now.tzinfo)

    def _opens(self) -> datetime:
        wanted = max(1, self.limit // 10)
        free = self.limit - self._total
        for at, count in self._sent:
            free += count
            if free >= wanted:
                return at + self.per
        raise AssertionError("the limit is reached by what was sent")


def take(quotas: Sequence[Quota], wanted: int, now: datetime) -> int:
    """The room that all of them have for so many recipients, held in each."""
    got = min((quota.room(wanted, now) for quota in quotas), default=wanted)
    for quota in quotas:
        quota.hold(got)
    return got


def settle(quotas: Sequence[Quota], taken: int, used: int, now: datetime) -> None:
    """Settle what `take` gave."""
    for quota in quotas:
        quota.settle(taken, used, now)


def full(quotas: Sequence[Quota]) -> tuple[Quota, datetime] | None:
    """Of those without room, the one that is so for longest, and until when."""
    closed = [(on, quota) for quota in quotas if (on := quota.goes_on()) is not None]
    if not closed:
        return None
    on, quota = max(closed, key=lambda each: each[0])
    return quota, on


@dataclass(frozen=True, slots=True)
class Sent:
    """What a ledger entry tells was sent, or may have been."""

    relay: str
    destination: str
    at: datetime
    count: int


def counted(ledger: Iterable[tuple[datetime, WindowRecorded]]) -> Iterator[Sent]:
    """What ledger entries, with their times, tell was sent, or may have been.

    An intent counts in full until the next entry of its chunk tells the outcome.
    """
    open_: dict[tuple[str, str, str], Sent] = {}
    for at, entry in ledger:
        chunk = entry.list, entry.mail_id, entry.chunk
        before = open_.pop(chunk, None)
        if entry.outcome is not None:
            yield Sent(entry.relay, entry.destination, at, _went(entry.outcome))
        elif before is not None:
            yield before  # sent by a worker that died, and again by the next
        if entry.intent is not None:
            open_[chunk] = Sent(entry.relay, entry.destination, at, _open(entry.intent))
    yield from sorted(open_.values(), key=lambda each: each.at)


def _went(outcome: Outcome) -> int:
    """How many were sent, or may have been: those whose answer was still awaited count."""
    doubtful = frozenset(outcome.doubtful)
    failed = sum(1 for failure in outcome.failures if failure.index not in doubtful)
    return outcome.end - outcome.start - failed


def _open(intent: Intent) -> int:
    """How many may have gone out by an intent."""
    return intent.end - intent.start - len(intent.without) - len(intent.sent)
