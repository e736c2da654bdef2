"""What happened, when, by whom and why, and who was there at any earlier moment.

What happened is read from the logs; the roster keeps every state that was folded from them.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC
from itertools import accumulate
from typing import TypeVar

import msgspec

from postroad.runtime.broker import Broker
from postroad.runtime.clock import instant, now
from projections import history
from projections.history import Change, Told
from schemas import subjects
from schemas.codec import UnknownEvent
from schemas.commands import Answer, ListHistory, MemberHistory, PastPage, PersonConsent
from schemas.envelope import Envelope
from schemas.histories import HistoryRow, ListConsent, Person
from schemas.people import PersonKnown
from schemas.road import AsOf
from services.membership import actors, entries
from services.membership.people import People, known
from services.membership.refused import Refused
from services.membership.roster import Roster

SECRETS = ("moderator_password",)  # settings of which only is told that they are set
LONGEST_PAGE = 5_000  # rows; each page reads the list's rows once
LONGEST_ANSWER = 900_000  # octets of rows: an answer stays below the broker's 1 MB
LISTS = 500  # of one person in one answer: each is read from the log

R = TypeVar("R", bound=msgspec.Struct)


class History:
    """Histories of members, and earlier moments of a list."""

    def __init__(self, broker: Broker, roster: Roster, people: People) -> None:
        self.broker = broker
        self.roster = roster
        self.people = people

    async def member(self, ask: MemberHistory) -> Answer:
        """What happened to one person on one list; to one who was erased, too, as nobody's.

        Raises Refused for somebody who never was on it.
        """
        slug = self.roster.feed.lists.find(ask.list).state.slug
        subject = subjects.people(self.people.key(ask.address))
        last = await self.broker.last("PEOPLE", subject)
        person = getattr(last.envelope().events[-1], "person", "") if last else ""
        life = subjects.membership(slug, person or "nobody")
        said = [one async for one in self._said("MEMBERSHIP", life)]
        if not said:
            raise Refused("unknown_member", f"{ask.address} was never on the list {ask.list}")
        await self.roster.feed.reached(AsOf(people=last.seq if last else 0))
        erased = known(last) is None and not await self.roster.address(person)
        told = list(history.of_member(said))
        if erased:
            about = [one async for one in self._said("PEOPLE", subject)]
            told += [one for one in history.of_person(about) if one.event == "person_erased"]
        rows = await self._rows(told[ask.after :], person)
        return Answer(history=tuple(_fitting(rows)), erased=erased)

    async def list_(self, ask: ListHistory) -> Answer:
        """What happened to a list, open or closed; of passwords only that there is one."""
        slug = self.roster.feed.lists.find(ask.list).state.slug
        said = [one async for one in self._said("LISTS", subjects.lists(slug))]
        told = list(history.of_list(said))[ask.after :]
        rows = [
            msgspec.structs.replace(row, changes=tuple(map(_masked, row.changes)))
            for row in await self._rows(told)
        ]
        return Answer(history=tuple(_fitting(rows)))

    async def consent(self, ask: PersonConsent) -> Answer:
        """All evidence that somebody wanted what they have, or had. Raises Refused for a stranger
        and for somebody who was erased."""
        whom = await self._person(self.people.key(ask.address))
        if whom is None:
            raise Refused("unknown_member", f"nobody of the address {ask.address} is known")
        await self.roster.feed.catch_up()
        keys = sorted(await self.roster.keys(whom.person))
        known = [one for key in keys if (one := await self._person(key))]
        theirs = [one for one in known if one.person == whom.person]
        theirs.sort(key=lambda one: (one.secondary, one.address))
        about = [
            said
            for key in keys
            async for said in self._said("PEOPLE", subjects.people(key))
            if any(getattr(event, "person", "") == whom.person for event in said.events)
        ]
        about.sort(key=lambda said: said.ts)
        slugs = (await self.roster.ever(whom.person))[ask.after : ask.after + LISTS]
        person = Person(
            person=whom.person,
            address=whom.address,
            addresses=tuple(one.address for one in theirs),
            display_name=whom.display_name,
            events=await self._rows(history.of_person(about), whom.person),
            lists=tuple(_fitting([await self._consent(slug, whom.person) for slug in slugs])),
        )
        return Answer(person=person)

    async def _person(self, key: str) -> PersonKnown | None:
        """Whose address has this key."""
        last = await self.broker.last("PEOPLE", subjects.people(key))
        whom = last.envelope().events[-1] if last else None
        return whom if isinstance(whom, PersonKnown) else None

    async def _consent(self, slug: str, person: str) -> ListConsent:
        """Each time that somebody got or lost a role on a list."""
        life = subjects.membership(slug, person)
        said = [one async for one in self._said("MEMBERSHIP", life)]
        told = [one for one in history.of_member(said) if one.role]
        listed = self.roster.feed.lists.get(slug)
        standing = await self.roster.standing(slug, person)
        return ListConsent(
            list=listed.state.address if listed else slug,
            roles=tuple(sorted(standing.roles)),
            events=await self._rows(told, person),
        )

    async def past(self, ask: PastPage) -> Answer:
        """A page of who was there at an earlier moment.

        Raises Refused for a time that is none, is to come, or was before all that is known.
        """
        slug = self.roster.feed.lists.find(ask.list).state.slug
        as_of = await self._sequence(slug, ask.at) if ask.as_of is None else ask.as_of
        last = await self.broker.last("PEOPLE", "people.>")
        folded = AsOf(membership=as_of, people=last.seq if last else 0)
        await self.roster.feed.reached(folded)
        limit = min(ask.limit, LONGEST_PAGE)
        rows = await self.roster.past(slug, ask.role, as_of, ask.after, limit)
        return Answer(
            past=tuple(_fitting(rows)),
            total=0 if ask.after else await self.roster.past_count(slug, ask.role, as_of),
            as_of=AsOf(membership=as_of),
        )

    async def _sequence(self, slug: str, at: str) -> int:
        """The last of MEMBERSHIP before this time of the broker's clock."""
        time = instant(at)
        if time is None:
            raise Refused("bad_request", f"{at!r} is no time with its offset, such as {now()}")
        if time > now():
            raise Refused("bad_request", f"{at} is still to come")
        async for stored in self.broker.scan("LISTS", subjects.lists(slug)):
            if time < stored.time:
                since = stored.time.isoformat(timespec="seconds")
                raise Refused(
                    "bad_request", f"at {at} there was no list {slug} yet: it was made {since}"
                )
            break
        every = "membership.>"
        async for stored in self.broker.scan("MEMBERSHIP", every, start_time=time.isoformat()):
            return stored.seq - 1
        newest = await self.broker.last("MEMBERSHIP", every)
        return newest.seq if newest else 0

    async def _said(self, stream: str, subject: str) -> AsyncIterator[Envelope]:
        async for stored in self.broker.scan(stream, subject):
            with contextlib.suppress(UnknownEvent):  # of a newer release
                yield stored.envelope()

    async def _rows(self, told: Iterable[Told], subject: str = "") -> tuple[HistoryRow, ...]:
        told = list(told)
        acting = {actors.person_of(one.envelope.actor) for one in told} - {"", subject}
        addresses = await self.roster.addresses(sorted(acting)) if acting else {}
        return tuple(
            HistoryRow(
                time=one.envelope.ts.astimezone(UTC).isoformat(timespec="seconds"),
                event=one.event,
                what=one.what,
                role=one.role,
                changes=one.changes,
                facts=dict(one.facts),
                how=one.how,
                reason=one.reason,
                by=actors.told(one.envelope.actor, addresses, subject),
                actor=one.envelope.actor,
                command=one.envelope.correlation,
            )
            for one in told
        )


def _masked(change: Change) -> Change:
    """The same without the hash of a password."""
    name, old, new = change
    return change if name not in SECRETS else (name, old and entries.SET, new and entries.SET)


def _fitting(rows: Sequence[R]) -> Sequence[R]:
    """As many of these rows as an answer can hold, and one at least."""
    ends = accumulate(len(msgspec.json.encode(row)) for row in rows)
    return rows[: max(1, sum(end <= LONGEST_ANSWER for end in ends))]
