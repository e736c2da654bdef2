"""Who is to be accepted from now on, because a moderator said so of a held mail: a member by an
option of their own, a stranger by name in the settings of the list."""

from __future__ import annotations

from functools import partial, reduce

from postroad.runtime.broker import Broker
from postroad.runtime.consume import Delivery
from postroad.runtime.transact import transact
from schemas import subjects
from schemas.road import HeldAccepted
from services.membership import decider
from services.membership.people import People
from services.membership.received import Received
from services.membership.roster import Roster


class AlwaysAccepted:
    """Handles `mail.routed.accepted.>`."""

    def __init__(self, broker: Broker, roster: Roster, people: People, received: Received) -> None:
        self._broker = broker
        self._roster = roster
        self._people = people
        self._received = received

    async def handle(self, event: HeldAccepted, delivery: Delivery) -> None:
        """Do what is wanted beside letting the mail through; done before, nothing happens."""
        if not event.always:
            return
        mail = await self._received.mail(subjects.received("*", event.raw.mail_id))
        if mail is None or len(mail.facts.from_) != 1:
            return
        person = await self._people.find(mail.facts.from_[0].address)
        standing = await self._roster.standing(event.list, person.id if person else "")
        if person is None or "member" not in standing.roles:
            return
        await transact(
            self._broker,
            "MEMBERSHIP",
            subjects.membership(event.list, person.id),
            lambda events: reduce(decider.evolve, events, decider.initial),
            partial(decider.decide_change, moderation_action="accept", how="held mail"),
            correlation=event.mail_id,
            causation=delivery.envelope().id,
            actor=delivery.envelope().actor,
        )
