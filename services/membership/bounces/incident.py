"""Whether a provider fails, and not its people. Pure.

An incident is many people of one domain on one list within two days: at least ten, and a quarter of
those who are there. Dead addresses are fewer at any large provider; at a small one they are not
many.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile

PEOPLE = 10
SHARE = 4  # one in so many
WITHIN = timedelta(days=2)  # what was learnt on one day is known from the morning of the next
KEPT = 50_000  # failures of all domains together, the oldest go first


class Incidents:
    """Who failed lately, by list and domain."""

    def __init__(self) -> None:
        self._failed: dict[tuple[str, str], dict[str, datetime]] = {}
        self._count = 0

    def failing(self, list_: str, domain: str, person: str, at: datetime) -> int:
        """How many people of the domain have failed within two days, this one included."""
        people = self._failed.pop((list_, domain), {})
        self._failed[list_, domain] = people  # the newest stands last
        self._count -= people.pop(person, None) is not None
        stale = list(takewhile(lambda who: at - people[who] >= WITHIN, people))
        for who in stale:
            del people[who]
        self._count -= len(stale)
        people[person] = at
        self._count += 1
        while self._count > KEPT and len(self._failed) > 1:
            self._count -= len(self._failed.pop(next(iter(self._failed))))
        return len(people)

    def people(self, list_: str, domain: str) -> tuple[str, ...]:
        """Who they are."""
        return tuple(self._failed.get((list_, domain), ()))


def is_incident(failing: int, members: int) -> bool:
    """Whether so many who fail, of so many members at the domain, are an incident."""
    return failing >= PEOPLE and failing * SHARE >= members
