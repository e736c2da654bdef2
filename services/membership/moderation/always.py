"""Who is to be accepted from now on, because a moderator said so of a held mail: a member by an
option of their own, a stranger by name in the settings of the list."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

from postroad.mail import senders
from postroad.runtime.broker import Broker
from postroad.runtime.consume import Delivery
from postroad.runtime.transact import transact
from schemas import subjects
from schemas.envelope import Event
from schemas.road import HeldAccepted
from services.membership import decider, lists
from services.membership.people import People
from services.membership.received import Received
from services.membership.refused import Refused
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
        with contextlib.suppress(Refused):  # of no valid address, closed, too many named already
            await self._accept(mail.facts.from_[0].address, event, delivery)

    async def _accept(self, address: str, event: HeldAccepted, delivery: Delivery) -> None:
        person = await self._people.find(address)
        roles = (await self._roster.standing(event.list, person.id if person else "")).roles
        if person is not None and roles & {"member", "nonmember"}:
            subject = subjects.membership(event.list, person.id)
            decide = partial(decider.decide_change, moderation_action="accept", how="held mail")
            await self._change("MEMBERSHIP", subject, decider, decide, event, delivery)
        elif not roles:
            entry = senders.of_key(self._people.key(address))
            decide = partial(lists.decide_configure, typed={"accept_these_nonmembers+": entry})
            await self._change("LISTS", subjects.lists(event.list), lists, decide, event, delivery)

    async def _change(
        self,
        stream: str,
        subject: str,
        aggregate: Any,
        decide: Callable[[Any], Sequence[Event]],
        event: HeldAccepted,
        delivery: Delivery,
    ) -> None:
        await transact(
            self._broker,
            stream,
            subject,
            lambda events: reduce(aggregate.evolve, events, aggregate.initial),
            decide,
            correlation=event.mail_id,
            causation=delivery.envelope().id,
            actor=delivery.envelope().actor,
        )
