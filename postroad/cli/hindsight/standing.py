"""Who authors were on a list at earlier moments (sequences of MEMBERSHIP). Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from projections.lists import Directory, List
from schemas.commands import Author, WhoIs
from schemas.hindsight import Known, Life
from schemas.road import AsOf, Wish
from services.membership.entries import of_senders

MOST = 200_000  # addresses that are remembered


class Standings:
    """What membership said of addresses and persons, asked once each."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._persons: dict[str, str] = {}
        self._entries: dict[str, str] = {}
        self._lives: dict[tuple[str, str], list[Life]] = defaultdict(list)

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Those of these addresses, or persons, that were not asked about."""
        return [name for name in dict.fromkeys(names) if name and name not in self._asked]

    def take(self, asked: Sequence[str], known: Known) -> None:
        """Take in what was answered about these addresses and persons."""
        if len(self._asked) > MOST:
            for each in (self._asked, self._persons, self._entries, self._lives):
                each.clear()
        told = {(life.list, life.person) for life in known.lives}
        for key in told:
            self._lives.pop(key, None)
        for life in known.lives:
            self._lives[life.list, life.person].append(life)
        self._persons |= known.persons
        self._entries |= known.entries
        self._asked.update(asked, known.persons.values())

    def at(self, list_: str, person: str, moment: int) -> Life | None:
        """How a person stood on a list; None where they were nobody there."""
        lives = self._lives.get((list_, person), ())
        there = (life for life in lives if life.start <= moment and not 0 < life.end <= moment)
        return next(there, None)

    def author(
        self,
        known: List,
        lists: Directory,
        ask: WhoIs,
        moment: int,
        *,
        person: str | None = None,
        without: dict[str, Wish] | None = None,
    ) -> Author:
        """Who the author was, as `whois` would have answered then. What it did answer is told as
        `person` and `without`, where it is known."""
        if not ask.address:
            return Author(as_of=AsOf(membership=moment), without=without or {})
        who = self._persons.get(ask.address, "") if person is None else person
        life = self.at(known.slug, who, moment)
        return Author(
            person=who,
            roles=tuple(role for role in life.roles if role != "nonmember") if life else (),
            moderation=life.moderation if life else "",
            named=tuple(self._named(known, lists, ask.address, who, moment)),
            without=self._without(ask, who, life, moment) if without is None else without,
            as_of=AsOf(membership=moment),
        )

    def _named(
        self, known: List, lists: Directory, address: str, person: str, moment: int
    ) -> Iterable[str]:
        for entry in of_senders(known.settings):
            if entry == self._entries.get(address):
                yield entry
            elif entry.startswith("@") and (slug := lists.reach().get(entry[1:])):
                life = self.at(slug, person, moment)
                if life and "member" in life.roles:
                    yield entry

    def _without(self, ask: WhoIs, person: str, life: Life | None, moment: int) -> dict[str, Wish]:
        without: dict[str, Wish] = {}
        for address in ask.recipients:
            named = self._persons.get(address, "")
            there = self.at(ask.list, named, moment)
            if there and "member" in there.roles and not there.receive_list_copy:
                without[named] = "receive_list_copy"
        if life and not life.receive_own_postings:
            without[person] = "receive_own_postings"
        return without
