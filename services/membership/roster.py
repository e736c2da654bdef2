"""Every question anybody asks of the roster. Small lists answer from memory, in microseconds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import structlog

from postroad.runtime.errors import Retry
from projections import rosterqueries as tables
from projections.roster import NOBODY, Key, Standing
from projections.store import Row, Store
from schemas.commands import PastRow, RosterRow
from schemas.membership import Role
from services.membership.feed import Feed, standings
from services.membership.mirror import Recipient, SmallList
from services.membership.restoring import Period

SMALL = 2_000  # people on a list that is kept in memory
PAGE = 5_000  # rows taken from DuckDB at once

log = structlog.get_logger()


class Roster:
    """Who is on which list, as far as `feed` has folded."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    @property
    def _store(self) -> Store:
        return self.feed.store

    async def person(self, key: str) -> str:
        """Whose address has this key; empty for a stranger."""
        mirror = self.feed.mirror
        person = mirror.person(key)
        if person is None:
            before = self.feed.as_of
            rows = await self._store.read(tables.PERSON, {"key": key})
            person = str(rows[0][0]) if rows else ""
            if self.feed.as_of == before:  # else it may be out of date already
                mirror.remember_person(key, person)
        return person

    async def standing(self, list_: str, person: str) -> Standing:
        """How a person stands on a list; NOBODY for a stranger."""
        if not person:
            return NOBODY
        small = await self._small(list_)
        if small is not None:
            return small.standings.get(person, NOBODY)
        return (await self.standings({(list_, person)})).get((list_, person), NOBODY)

    async def language(self, list_: str, person: str) -> str:
        """In which language a person wants letters of a list, or did until they left it; empty
        where they never said."""
        rows = await self._store.read(tables.LANGUAGE, {"list": list_, "person": person})
        return str(rows[0][0]) if rows else ""

    async def without_list_copy(self, list_: str, keys: Sequence[str]) -> list[str]:
        """The members among the addresses with these keys who want no copy of a post that names
        them."""
        small = await self._small(list_) if keys else None
        if not keys or (small and all(one.receive_list_copy for one in small.standings.values())):
            return []
        rows = await self._store.read(tables.NO_LIST_COPY, {"list": list_, "keys": list(keys)})
        return sorted(str(row[0]) for row in rows)

    async def standings(self, keys: set[Key]) -> dict[Key, Standing]:
        """The same for many, straight from the file."""
        return await standings(self._store, keys)

    async def periods(self, list_: str, people: Sequence[str]) -> dict[str, list[Period]]:
        """Every state that these persons were in on a list, in order, and the sequence of
        MEMBERSHIP that ended it."""
        rows = await self._store.read(tables.PERIODS, {"list": list_, "people": list(people)})
        found: dict[str, list[Period]] = {}
        for person, *standing, to_seq in rows:
            found.setdefault(person, []).append((tables.standing_of(standing), to_seq))
        return found

    async def audience(
        self, list_: str, as_of: int, *, after: str = "", patient: bool = True
    ) -> AsyncGenerator[list[Recipient]]:
        """Pages of those who receive posts now and did at `as_of` (a sequence of MEMBERSHIP), in
        order of person, from the one after `after`.

        Raises Retry where the address of one of them is not folded yet; when not `patient`, such
        a one is left out.
        """
        small = await self._small(list_)
        if small is not None and small.newest <= as_of and small.complete:
            yield [found for found in small.recipients if found.person > after]
            return
        last = after
        async with aclosing(self._slices(list_, as_of, after)) as pages:
            async for rows in pages:
                page: list[Recipient] = []
                for person, known, address, domain in rows:
                    if not known and patient:
                        raise Retry("the roster has not folded every address yet", 0.2)
                    if not known:
                        log.error("fanout.no_address", list=list_, person=person)
                    elif person != last and address is not None:  # a second address, or erased
                        page.append(Recipient(person, address, domain))
                    last = person
                yield page

    async def _slices(self, list_: str, as_of: int, after: str) -> AsyncGenerator[list[Row]]:
        """The rows of an audience, slice by slice: each is a query of its own."""
        members, _, _ = (await self.counts([list_])).get(list_, (0, 0, 0))
        for upto in tables.slices(members):
            if upto and upto <= after:
                continue
            parameters = {"list": list_, "as_of": as_of, "after": after, "upto": upto}
            async with aclosing(self._store.stream(tables.AUDIENCE, parameters, PAGE)) as pages:
                async for rows in pages:
                    yield rows
            after = upto

    async def address(self, person: str) -> str:
        """Where a person is reached; empty for one we do not know."""
        rows = await self._store.read(tables.ADDRESS, {"person": person})
        return str(rows[0][0]) if rows else ""

    async def addresses(self, people: Sequence[str]) -> dict[str, str]:
        """Where these persons are reached, as far as we know them."""
        rows = await self._store.read(tables.ADDRESSES, {"people": list(people)})
        return {str(person): str(address) for person, address in rows}

    async def keys(self, person: str) -> dict[str, str]:
        """The key of every address that is or was a person's, with the address where it still
        stands there (else empty)."""
        rows = await self._store.read(tables.WHOSE, {"people": [person]})
        return {str(key): address or "" for _, key, address in rows}

    async def lists_of(self, person: str) -> list[str]:
        """The slugs of the lists that a person is a member of."""
        return [str(row[0]) for row in await self._store.read(tables.LISTS, {"person": person})]

    async def roles_of(self, person: str) -> list[str]:
        """The slugs of the lists that a person has a role on, but as a nonmember."""
        return [str(row[0]) for row in await self._store.read(tables.ROLES, {"person": person})]

    async def at_domain(self, list_: str, domain: str) -> int:
        """How many members of a list have an address at this domain."""
        rows = await self._store.read(tables.AT_DOMAIN, {"list": list_, "domain": domain})
        return int(rows[0][0])

    async def bounced(self) -> list[Key]:
        """Whose delivery bounces have stopped, on which list."""
        return [(str(row[0]), str(row[1])) for row in await self._store.read(tables.BOUNCED, {})]

    async def ever(self, person: str) -> list[str]:
        """The slugs of the lists that a person ever had a role on."""
        return [str(row[0]) for row in await self._store.read(tables.EVER, {"person": person})]

    async def staff(self, list_: str) -> list[Recipient]:
        """Owners and moderators, in order of person, whatever their delivery options say."""
        rows = await self._store.read(tables.STAFF, {"list": list_})
        return [found for found in _contacts(rows).values() if found is not None]

    async def page(self, list_: str, role: Role, after: str, limit: int) -> list[RosterRow]:
        """Who has this role, in order of address."""
        parameters = {"list": list_, "role": role, "after": after, "limit": limit}
        async with aclosing(self._store.stream(tables.PAGE, parameters, PAGE)) as pages:
            return [
                _roster_row(role, address, name, *standing, also=tuple(also or ()))
                async for rows in pages
                for address, name, also, *standing in rows
            ]

    async def past(
        self, list_: str, role: Role, as_of: int, after: str, limit: int
    ) -> list[PastRow]:
        """Who had this role at `as_of` (a sequence of MEMBERSHIP), in order of person."""
        parameters = {"list": list_, "role": role, "as_of": as_of, "after": after, "limit": limit}
        rows = await self._store.read(tables.PAST, parameters)
        found: dict[str, PastRow] = {}
        for person, known, address, name, *standing in rows:
            if not known:
                raise Retry("the roster has not folded every address yet", 0.2)
            row = _roster_row(role, address or "", name, *standing)
            found.setdefault(person, PastRow(person=person, row=row))
        return list(found.values())

    async def past_count(self, list_: str, role: Role, as_of: int) -> int:
        """How many had this role at `as_of`."""
        parameters = {"list": list_, "role": role, "as_of": as_of}
        return int((await self._store.read(tables.PAST_COUNT, parameters))[0][0])

    async def counts(self, lists: Sequence[str]) -> dict[str, tuple[int, int, int]]:
        """Members, owners and moderators of these lists."""
        rows = await self._store.read(tables.COUNTS, {"lists": list(lists)})
        return {row[0]: row[1:] for row in rows}

    async def _small(self, list_: str) -> SmallList | None:
        """A list from memory, read into it where need be; None for a large one."""
        mirror = self.feed.mirror
        if (small := mirror.list(list_)) is not None or mirror.is_large(list_):
            return small
        before = self.feed.as_of
        rows = await self._store.read(tables.EVERYBODY, {"list": list_, "limit": SMALL + 1})
        if len(rows) > SMALL:
            mirror.remember_large(list_)
            return None
        small = SmallList.of(
            {row[0]: tables.standing_of(row[1:-3]) for row in rows}, _contacts(rows)
        )
        if small.complete and self.feed.as_of == before:
            mirror.remember_list(list_, small)
        return small


def _contacts(rows: Sequence[Sequence[Any]]) -> dict[str, Recipient | None]:
    """Where these persons are reached: rows begin with the person and end with known, address,
    domain, and the first row of a person counts."""
    contacts: dict[str, Recipient | None] = {}
    for row in rows:
        person, known, address, domain = row[0], *row[-3:]
        if known and person not in contacts:
            contacts[person] = None if address is None else Recipient(person, address, domain)
    return contacts


def _roster_row(
    role: Role, address: str, name: str, *standing: Any, also: tuple[str, ...] = ()
) -> RosterRow:
    found = tables.standing_of(standing)
    return RosterRow(
        address=address,
        also=also,
        display_name=name,
        role=role,
        delivery_mode=found.delivery_mode,
        delivery_status=found.delivery_status,
        moderation_action=found.moderation,
        receive_own_postings=found.receive_own_postings,
        receive_list_copy=found.receive_list_copy,
        preferred_language=found.preferred_language,
        since=f"{found.since.isoformat(timespec='seconds')}Z" if found.since else "",
    )
