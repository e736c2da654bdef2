"""A person's address changes: in PEOPLE, and then on each of their lists.

The person stays who they are, with roles, options and history. Killed in between, the same again
finishes: what a list is told is stored under the change in PEOPLE that it comes of.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from functools import partial, reduce

import msgspec

from postroad.mail import addresses
from postroad.runtime.broker import Broker
from postroad.runtime.clock import now
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict, Retry
from postroad.runtime.transact import transact
from schemas import subjects
from schemas.people import AddressDropped
from schemas.road import AsOf
from services.membership import addressbook, decider
from services.membership.addressbook import NOBODY
from services.membership.bans import banned, refusal
from services.membership.people import People, valid
from services.membership.refused import Refused
from services.membership.roster import Roster

TRIES = 20
CAUSATION = "address changed"
FOLD_SECONDS = 3.0


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """From the address with the key `old` to the address `new`; `evidence` says why that is theirs,
    `how` it was told. A `dry` one only says what there is to do."""

    old: str
    new: str
    how: str
    evidence: str
    correlation: str
    actor: str = ""  # empty: the person
    dry: bool = False


class Moves:
    """Changes of address."""

    def __init__(self, broker: Broker, roster: Roster, people: People) -> None:
        self._broker = broker
        self._roster = roster
        self._people = people

    async def move(self, wanted: Move) -> tuple[str, bool]:
        """Carry one out: who moved, and whether it was news. Raises Refused."""
        new = valid(wanted.new)
        if self._roster.feed.lists.means_list(addresses.normalise(new)):
            raise Refused("bad_address", f"{new} is an address of a list")
        key = self._people.key(new)
        for _ in range(TRIES):
            try:
                return await self._move(wanted, key, new)
            except Conflict:
                continue
        raise Retry("too many changes of one address at once")

    async def _move(self, wanted: Move, key: str, new: str) -> tuple[str, bool]:
        """The same, to `new`, which has this key. Raises Conflict where it changed meanwhile."""
        book, last = await self._people.book((wanted.old, key))
        person, there = book.get(wanted.old, NOBODY).person, book.get(key, NOBODY)
        await self._roster.feed.catch_up()
        others = there.person if there.address and there.person != person else ""
        said = addressbook.decide_move(
            *(book, wanted.old, key, new),
            evidence=wanted.evidence,
            on=[self._address(slug) for slug in await self._lists(others)],
        )
        actor, correlation, at = wanted.actor or f"person:{person}", wanted.correlation, now()
        if said:
            await self._refuse_banned(person, new)
        if wanted.dry:
            return person, bool(said)
        if not said and wanted.old in last:  # it may have been cut short
            before = last[wanted.old].envelope()
            correlation, at = before.correlation, before.ts
        if any(key == about and isinstance(event, AddressDropped) for about, event in said):
            # first it is nobody's
            await self._people.say(said[:1], last, correlation=correlation, actor=actor)
            await self._people.forget(key)
            return await self._move(wanted, key, new)
        if said:
            seq = await self._people.say(said, last, correlation=correlation, actor=actor)
            await self._folded(AsOf(people=seq))
        crashpoint("membership.address_changed")
        if wanted.old != key:
            await self._people.forget(wanted.old)
            await self._tell(person, wanted.how, at, correlation, actor)
        return person, bool(said)

    async def _tell(
        self, person: str, how: str, at: datetime, correlation: str, actor: str
    ) -> None:
        """Have each list that they were on by then know that mail goes elsewhere."""
        newest = 0
        for slug in await self._lists(person):
            since = (await self._roster.standing(slug, person)).since
            if since is None or since.replace(tzinfo=UTC) > at:
                continue
            _, seq = await transact(
                self._broker,
                "MEMBERSHIP",
                subjects.membership(slug, person),
                lambda events: reduce(decider.evolve, events, decider.initial),
                partial(decider.decide_moved, at=at, how=how),
                correlation=correlation,
                causation=CAUSATION,
                actor=actor,
            )
            newest = max(newest, seq)
        await self._folded(AsOf(membership=newest))

    async def _refuse_banned(self, person: str, address: str) -> None:
        for slug in await self._lists(person):
            listed = self._roster.feed.lists.get(slug)
            if (
                listed
                and listed.state.open
                and banned(listed.state.settings, self._people, address)
            ):
                raise Refused("banned", f"{listed.state.address}: {refusal(address)}")

    async def _lists(self, person: str) -> list[str]:
        return await self._roster.roles_of(person) if person else []

    def _address(self, slug: str) -> str:
        listed = self._roster.feed.lists.get(slug)
        return listed.state.address if listed else slug

    async def _folded(self, as_of: AsOf) -> None:
        with contextlib.suppress(Retry):
            await self._roster.feed.reached(as_of, timeout=FOLD_SECONDS)
