"""Which providers fail just now: what this instance counts, and what MEMBERSHIP had before."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import msgspec

from postroad.runtime.broker import Broker
from schemas.membership import MemberBounced
from schemas.pending import Incident
from services.membership.bounces import decider
from services.membership.bounces.incident import PEOPLE, WITHIN, Incidents, is_incident
from services.membership.bounces.recent import bounces_since
from services.membership.roster import Roster

DAY = timedelta(days=1)  # between two letters about one incident
HOUR = timedelta(hours=1)  # for which the number of members at a domain is remembered

Provider = tuple[str, str]  # list, domain


class Providers:
    """Looks at each failure once."""

    def __init__(self, broker: Broker, roster: Roster) -> None:
        self._broker = broker
        self._roster = roster
        self._incidents = Incidents()
        self._members: dict[Provider, tuple[datetime, int]] = {}
        self._told: dict[Provider, datetime] = {}  # of which incident owners know
        self._going_on: dict[Provider, Incident] = {}
        self._begun = False
        self._beginning = asyncio.Lock()

    async def failing(self, list_: str, domain: str, person: str, told: MemberBounced) -> int:
        """How many people of the domain fail with this one; 0 where that is no incident."""
        if told.kind not in decider.POINTS:
            return 0
        async with self._beginning:
            if not self._begun:
                await self._remember(told.at)
                self._begun = True
        failing = self._incidents.failing(list_, domain, person, told.at)
        if failing < PEOPLE:
            return 0
        members = await self._at(list_, domain, told.at)
        if not is_incident(failing, members):
            return 0
        self.take(Incident(list=list_, domain=domain, people=failing, since=told.at, last=told.at))
        return failing

    def people(self, list_: str, domain: str) -> tuple[str, ...]:
        """Who of the domain has failed lately."""
        return self._incidents.people(list_, domain)

    def take(self, found: Incident) -> None:
        """Remember an incident, together with what is known of it."""
        known = self._going_on.get((found.list, found.domain))
        if known is not None and found.since - known.last < WITHIN:
            first, last = min(known.since, found.since), max(known.last, found.last)
            people = found.people if found.last >= known.last else known.people
            found = msgspec.structs.replace(found, people=people, since=first, last=last)
        self._going_on[found.list, found.domain] = found

    def going_on(self, at: datetime) -> tuple[Incident, ...]:
        """The incidents of this time: a provider that took mail for two days has none."""
        over = [key for key, each in self._going_on.items() if at - each.last >= WITHIN]
        for key in over:
            del self._going_on[key]
        return tuple(self._going_on[key] for key in sorted(self._going_on))

    def news(self, list_: str, domain: str, at: datetime) -> bool:
        """Whether owners were not told of this incident within a day; from now on they were."""
        before = self._told.get((list_, domain))
        if before is not None and at - before < DAY:
            return False
        self._told[list_, domain] = at
        return True

    async def _remember(self, at: datetime) -> None:
        """Take in who failed before this instance began."""
        found = [
            one
            async for one in bounces_since(self._broker, "membership.>", at - WITHIN)
            if one[2].kind in decider.POINTS
        ]
        addresses = await self._roster.addresses([person for _, person, _ in found])
        for list_, person, bounce in found:
            if address := addresses.get(person):
                domain = address.rpartition("@")[2].lower()
                self._incidents.failing(list_, domain, person, bounce.at)

    async def _at(self, list_: str, domain: str, at: datetime) -> int:
        known = self._members.get((list_, domain))
        if known is None or at - known[0] >= HOUR:
            known = (at, await self._roster.at_domain(list_, domain))
            self._members[list_, domain] = known
        return known[1]
