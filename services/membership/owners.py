"""Who gets mail to the people that run a list."""

from __future__ import annotations

from datetime import UTC, datetime

from postroad.runtime.config import Config
from schemas import subjects
from services.membership.directory import Listed
from services.membership.lists import State
from services.membership.mirror import Recipient
from services.membership.people import People
from services.membership.roster import Roster


class Owners:
    """The owners of every list."""

    def __init__(self, config: Config, roster: Roster, people: People) -> None:
        self._domains = {domain.name.lower(): domain.owner for domain in config.domain}
        self._roster = roster
        self._people = people

    async def of(self, listed: Listed, *, correlation: str) -> list[Recipient]:
        """Owners and moderators, else whoever owns the domain, else nobody."""
        if staff := await self._roster.staff(listed.state.slug):
            return staff
        address = self._domains.get(listed.state.domain, "")
        if not address:
            return []
        person = await self._people.obtain(
            address, "", evidence="settings: owner of the domain", correlation=correlation
        )
        return [Recipient(person.id, address, address.rpartition("@")[2].lower())]

    async def address(self, listed: Listed, person: str, *, correlation: str) -> str:
        """The address of one of them; empty where they run the list no more."""
        people = await self.of(listed, correlation=correlation)
        return next((one.address for one in people if one.person == person), "")


def of_domain(domain: str) -> Listed:
    """What stands for a domain where a list would: it has no staff, so its owner gets the mail."""
    state = State(slug=subjects.NO_LIST, address=f"postmaster@{domain}")
    return Listed(state=state, since=datetime.min.replace(tzinfo=UTC), seq=0)
