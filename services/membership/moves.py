"""A person's addresses change: in PEOPLE, and then, where copies go elsewhere, on their lists.

The person stays who they are, with roles, options and history. Killed in between, the same again
finishes: what a list is told is stored under the change in PEOPLE that it comes of.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial, reduce

import msgspec

from postroad.mail import addresses
from postroad.runtime.broker import Broker
from postroad.runtime.clock import now
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict, Retry
from postroad.runtime.stored import Stored
from postroad.runtime.transact import transact
from schemas import subjects
from schemas.addresses import AddressVerb
from schemas.envelope import Envelope
from schemas.road import AsOf
from services.membership import addressbook, decider
from services.membership.addressbook import NOBODY, Book, Said
from services.membership.bans import banned, refusal
from services.membership.people import People, valid
from services.membership.refused import Refused
from services.membership.roster import Roster

TRIES = 20
CAUSATION = "address changed"
FOLD_SECONDS = 3.0


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants who has the address with the key `own`: to have `address` in its place
    (`move`), or besides (`add`), to be reached there (`prefer`), or to have it no more (`drop`).
    `evidence` says why it is theirs, `how` it was told. A `dry` one only says what there is to
    do."""

    verb: AddressVerb
    own: str
    address: str
    how: str
    evidence: str = ""
    correlation: str
    actor: str = ""  # empty: the person
    dry: bool = False


class Moves:
    """Changes of address."""

    def __init__(self, broker: Broker, roster: Roster, people: People) -> None:
        self._broker = broker
        self._roster = roster
        self._people = people

    async def carry_out(self, wanted: Wanted) -> tuple[str, bool]:
        """Do it: whose addresses they are, and whether it was news, now or when the same was
        carried out before. Raises Refused."""
        address = valid(wanted.address)
        if self._roster.feed.lists.means_list(addresses.normalise(address)):
            raise Refused("bad_address", f"{address} is an address of a list")
        key = self._people.key(address)
        for _ in range(TRIES):
            try:
                return await self._carry_out(wanted, key, address)
            except Conflict:
                continue
        raise Retry("too many changes of one address at once")

    async def _carry_out(self, wanted: Wanted, key: str, address: str) -> tuple[str, bool]:
        """The same for `address`, which has this key. Raises Conflict where something changed
        meanwhile."""
        await self._roster.feed.catch_up()
        book, _ = await self._people.book((wanted.own, key))
        person, there = book.get(wanted.own, NOBODY).person, book.get(key, NOBODY)
        theirs = await self._roster.keys(person) if person else {}
        book, last = await self._people.book({wanted.own, key, *theirs})
        other = there.person if there.address and there.person != person else ""
        on = [self._address(slug) for slug in await self._lists(other)]
        said = _decided(wanted, book, key, address, on)
        actor, correlation, at = wanted.actor or f"person:{person}", wanted.correlation, now()
        if said and wanted.verb in ("move", "add"):
            await self.refuse_banned(person, address)
        if wanted.dry:
            return person, bool(said)
        if other and said:  # it becomes nobody's before it becomes theirs
            await self._people.say(said[:1], last, correlation=correlation, actor=actor)
            await self._people.forget(key)
            return await self._carry_out(wanted, key, address)
        elsewhere = addressbook.elsewhere(said)
        if said:
            seq = await self._people.say(said, last, correlation=correlation, actor=actor)
            await self._folded(AsOf(people=seq))
        elif (before := _cut_short(book, last, key)) is not None:
            elsewhere, correlation, at = True, before.correlation, before.ts
        crashpoint("membership.address_changed")
        for dropped in {wanted.own, key}:
            await self._people.forget(dropped)
        if elsewhere:
            await self._tell(person, wanted.how, at, correlation, actor)
        again = key in last and last[key].envelope().correlation == wanted.correlation
        return person, bool(said) or again

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

    async def refuse_banned(self, person: str, address: str) -> None:
        """Raises Refused where a list of this person bans the address."""
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


def _decided(wanted: Wanted, book: Book, key: str, address: str, on: Sequence[str]) -> Said:
    match wanted.verb:
        case "move":
            evidence = wanted.evidence
            return addressbook.decide_move(book, wanted.own, key, address, evidence=evidence, on=on)
        case "add":
            evidence = wanted.evidence
            return addressbook.decide_add(book, wanted.own, key, address, evidence=evidence, on=on)
        case "prefer":
            return addressbook.decide_prefer(book, wanted.own, key, address)
        case "drop":
            return addressbook.decide_drop(book, wanted.own, key, address)


def _cut_short(book: Book, last: Mapping[str, Stored], key: str) -> Envelope | None:
    """The change by which copies came to go to the address with this key, and away from another;
    its lists may not know of it yet."""
    if key not in last or not book[key].address or book[key].secondary:
        return None
    changed = last[key].envelope()
    others = (one.envelope().correlation for other, one in last.items() if other != key)
    return changed if changed.correlation in others else None
