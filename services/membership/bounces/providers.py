"""Which providers fail just now: what this instance counts, and what MEMBERSHIP had before."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from postroad.runtime.broker import Broker
from schemas.membership import MemberBounced
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
        return failing if is_incident(failing, members) else 0

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
