"""What the roster remembers in memory, so that small lists cost no query.

A cache, and simple as one: a change to a list forgets that list, a change to somebody
remembered forgets everything, and so does having taken in more than `limit` people (about 300
octets each) since the last time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from projections.roster import Standing


class Recipient(msgspec.Struct, frozen=True, gc=False):
    """Somebody a copy goes to."""

    person: str
    address: str
    domain: str


class SmallList(msgspec.Struct, frozen=True, gc=False):
    """Everybody who has a role on one list, by person id. `recipients` are those who receive
    posts, in order of person; `newest` is the highest sequence at which one of them came to
    stand as they do. Not `complete` where somebody's address is not folded yet."""

    standings: Mapping[str, Standing]
    recipients: tuple[Recipient, ...]
    newest: int
    complete: bool

    @classmethod
    def of(
        cls, standings: Mapping[str, Standing], contacts: Mapping[str, Recipient | None]
    ) -> SmallList:
        """Everything that follows from who stands how, and is reached where. A contact of None
        was erased; one that is missing is not known yet."""
        receiving = sorted(who for who, standing in standings.items() if standing.receives)
        return cls(
            standings,
            tuple(found for who in receiving if (found := contacts.get(who)) is not None),
            max((standings[who].from_seq for who in receiving), default=0),
            complete=all(who in contacts for who in standings),
        )


class Mirror:
    """Small lists by slug, and persons by the key of their address ("" for nobody we know)."""

    def __init__(self, limit: int = 50_000) -> None:
        self.limit = limit
        self._lists: dict[str, SmallList] = {}
        self._large: set[str] = set()
        self._persons: dict[str, str] = {}
        self._known: set[str] = set()
        self._size = 0

    def list(self, slug: str) -> SmallList | None:
        """A list, where it is remembered."""
        return self._lists.get(slug)

    def is_large(self, slug: str) -> bool:
        """Whether this list was too large to remember when last looked at."""
        return slug in self._large

    def person(self, key: str) -> str | None:
        """The person of an address; empty for a stranger, None where that is not remembered."""
        return self._persons.get(key)

    def remember_list(self, slug: str, found: SmallList) -> None:
        """Keep a list."""
        self._room(len(found.standings))
        self._lists[slug] = found
        self._known.update(found.standings)

    def remember_large(self, slug: str) -> None:
        """Do not try to keep this list."""
        self._large.add(slug)

    def remember_person(self, key: str, person: str) -> None:
        """Keep whose address this is."""
        self._room(1)
        self._persons[key] = person

    def lists_changed(self, slugs: Iterable[str]) -> None:
        """Members of these lists came, left or changed."""
        if not self._lists:
            return
        for slug in slugs:
            self._lists.pop(slug, None)

    def people_changed(self, changed: Iterable[tuple[str, str]]) -> None:
        """Something was said of these (key, person)."""
        if not self._size:
            return
        for key, person in changed:
            if person in self._known:
                self.clear()
                return
            self._persons.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._lists.clear()
        self._large.clear()
        self._persons.clear()
        self._known.clear()
        self._size = 0

    def _room(self, size: int) -> None:
        if self._size + size > self.limit:
            self.clear()
        self._size += size
