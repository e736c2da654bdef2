"""Earlier moments, as whoever judges past mail anew asks for them: who an author was on each list
then, how many received posts, and what a list's settings would be. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from postroad.mail import senders
from projections import rosterqueries as tables
from projections.rosterqueries import standing_of
from schemas.hindsight import (
    Audience,
    Known,
    Life,
    PastAudience,
    PastFacts,
    Proposed,
    ProposeSettings,
)
from schemas.lists import ListConfigured
from services.membership import lists
from services.membership.entries import Around
from services.membership.feed import Feed
from services.membership.people import People
from services.membership.refused import Refused

MOST = 1_000  # addresses and persons in one question
STEPS = 20_000  # in one answer, which stays below the broker's 1 MB
LONGEST = 600_000  # octets of lives in one answer, for the same reason


class Hindsight:
    """Answers from the roster, as far as it is folded."""

    def __init__(self, feed: Feed, people: People, languages: Collection[str]) -> None:
        self._feed = feed
        self._people = people
        self._languages = languages

    async def facts(self, ask: PastFacts) -> Known:
        """Whose addresses these are, and how persons stood. Raises Refused for too many."""
        if len(ask.addresses) + len(ask.people) > MOST:
            raise Refused("bad_request", f"at most {MOST:,} at once")
        keys = {address: self._people.key_of_normal(address) for address in ask.addresses}
        store = self._feed.store
        found = await store.read(tables.PERSONS, {"keys": list(keys.values())}) if keys else ()
        whose = {str(key): str(person) for key, person in found}
        people = {*ask.people, *whose.values()} - {""}
        rows = await store.read(tables.LIVES, {"people": sorted(people)}) if people else ()
        lives, later = _fitting(_life(*row) for row in rows)
        return Known(
            persons={each: whose[key] for each, key in keys.items() if key in whose},
            entries={each: senders.of_key(key) for each, key in keys.items()},
            lives=lives,
            later=later,
        )

    async def audience(self, ask: PastAudience) -> Audience:
        """How many received posts."""
        parameters = {"list": ask.list, "after": ask.after, "upto": ask.upto, "limit": STEPS}
        (_, count), *steps = await self._feed.store.read(tables.RECEIVING, parameters)
        whole = len(steps) + 1 < STEPS
        reached = ask.upto if whole else int(steps[-1][0])
        told = tuple((int(seq), int(step)) for seq, step in steps)
        return Audience(count=int(count), steps=told, reached=reached)

    async def propose(self, ask: ProposeSettings) -> Proposed:
        """What would change. Raises Refused for a list or setting that is none."""
        state = self._feed.lists.find(ask.list).state
        around = Around(
            domain=state.domain,
            lists=self._feed.lists.addresses,
            key=self._people.key_of_normal,
            languages=self._languages,
        )
        changes: dict[str, tuple[object, object]] = {}
        if ask.settings:
            for event in lists.decide_configure(state, typed=ask.settings, around=around):
                if isinstance(event, ListConfigured):
                    changes |= event.changes
        plain: dict[str, tuple[object, object]] = msgspec.to_builtins(changes)
        return Proposed(slug=state.slug, address=state.address, changes=plain)


def _fitting(lives: Iterable[Life]) -> tuple[tuple[Life, ...], tuple[str, ...]]:
    """The lives of as many persons as an answer can hold, and of one at least; and the others."""
    by_person: dict[str, list[Life]] = {}
    for life in lives:
        by_person.setdefault(life.person, []).append(life)
    octets, found, later = 0, list[Life](), list[str]()
    for person, theirs in by_person.items():
        octets += len(msgspec.json.encode(theirs))
        if octets > LONGEST and found:
            later.append(person)
        else:
            found += theirs
    return tuple(found), tuple(later)


def _life(list_: str, person: str, *standing: Any) -> Life:
    *columns, end = standing
    found = standing_of(columns)
    return Life(
        list=list_,
        person=person,
        start=found.from_seq,
        end=end or 0,
        roles=tuple(sorted(found.roles)),
        moderation=found.moderation,
        receive_own_postings=found.receive_own_postings,
        receive_list_copy=found.receive_list_copy,
    )
