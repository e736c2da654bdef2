"""What comes back, and what is refused at once, is counted against whom it is about.

A decision is stored under the mail that it is about and the report (or the ledger entry), so that
a bounce that is delivered again finds it, and the letters that it led to are written once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import msgspec
import structlog

from postroad.mail import bounce
from postroad.mail.headers import scan
from postroad.runtime.blobs import Gone, RawMail
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, now
from postroad.runtime.consume import Delivery
from postroad.runtime.errors import Reject
from postroad.runtime.health import Health
from postroad.runtime.telemetry import current
from postroad.runtime.transact import transact
from schemas import codec, subjects
from schemas.envelope import Event
from schemas.membership import MemberBounced
from schemas.pending import BouncesRead, Incident
from schemas.road import BounceRouted
from services.membership.bounces import decider, evidence
from services.membership.bounces.copies import Copies, Recipient
from services.membership.bounces.letters import BounceLetters
from services.membership.bounces.providers import Providers
from services.membership.letters.letter import notice_id
from services.membership.looks import again_and_again
from services.membership.people import People
from services.membership.received import Received
from services.membership.refused import Refused
from services.membership.retrying import failed_between
from services.membership.roster import Roster

ACTOR = "service:membership"
LARGEST = 4 << 20  # octets of a report that is read whole; of a larger one it is the beginning
LOOK = 60.0  # seconds between two looks at the ledger
NAMED = 100  # recipients of a report who are looked up

log = structlog.get_logger()


class BounceDesk:
    """Handles `mail.routed.bounce.>`, and reads the ledger."""

    def __init__(
        self,
        broker: Broker,
        roster: Roster,
        people: People,
        received: Received,
        letters: BounceLetters,
        health: Health,
    ) -> None:
        self._broker = broker
        self._roster = roster
        self._people = people
        self._received = received
        self._letters = letters
        self._health = health
        self._failing: set[str] = set()  # what health was told of
        self._copies = Copies(broker)
        self._providers = Providers(broker, roster)
        self._upto = 0

    async def handle(self, delivery: Delivery) -> None:
        """Count one bounce. Done before: nothing happens."""
        for event in delivery.envelope().events:
            if not isinstance(event, BounceRouted):
                raise Reject(f"a {type(event).__name__} is no bounce")
            at = delivery.envelope().ts
            if event.about and self._fresh(event.list, at, now()):
                await self._report(event, at)

    async def _report(self, event: BounceRouted, at: datetime) -> None:
        found = await self._read(event)
        if found is None:
            return
        before = []
        for to in await self._recipients(event, found):
            current().link("bounce", await self._copies.window(event.list, event.about, to))
            told = evidence.of_report(
                *(found, to.address),
                at=at,
                post=event.about,
                report=event.mail_id,
                proved=event.number >= 0,
            )
            before.append(
                await self._count(event.list, to.person, to.address, told, cause=event.mail_id)
            )
        if before and all(before):
            current().done_before()

    async def _read(self, event: BounceRouted) -> bounce.Bounce | None:
        raw = RawMail(self._broker, event.raw)
        try:
            data = await (raw.whole() if event.raw.size <= LARGEST else raw.start())
        except Gone:  # counted long ago: until then it stays
            return None
        mail = await self._received.mail(f"mail.received.*.{event.raw.mail_id}")
        facts = mail.facts if mail else scan(data)[0]
        return await asyncio.to_thread(
            bounce.read, data, facts, mail.envelope_from if mail else None
        )

    async def _recipients(self, event: BounceRouted, found: bounce.Bounce) -> list[Recipient]:
        """Whose copy it is about: by its number; where it had none, by the addresses named."""
        if event.number >= 0:
            one = await self._copies.numbered(event.list, event.about, event.number)
            return [one] if one else []
        people: list[Recipient] = []
        for address in found.recipients[:NAMED]:
            with contextlib.suppress(Refused):
                if person := await self._people.find(address):
                    copy = await self._copies.of_person(event.list, event.about, person.id)
                    if copy is not None and not copy.personal:
                        people.append(copy)
        return people

    # --- refusals -----------------------------------------------------------------------------

    async def run(self, stopping: asyncio.Event) -> None:
        """Look at the ledger again and again until told to stop."""
        await again_and_again(
            *(self.look, LOOK, stopping),
            lambda error: log.error("bounces.not_counted", error=error),
        )

    async def look(self, at: datetime) -> None:
        """Count the refusals since the last look, as of this time. Raises Conflict where another
        instance does, Retry."""
        last = await self._broker.last("PENDING", subjects.bounces_read())
        events = last.envelope().events if last else ()
        read = next((event for event in events if isinstance(event, BouncesRead)), None)
        newest = await self._broker.last("DELIVERY", "delivery.>")
        end = newest.seq if newest else 0
        after = read.upto if read else self._upto or end  # what was before nobody looks at
        before = read.incidents if read else ()
        for each in before:
            self._providers.take(each)
        if end > after:
            await self._refusals(after, end, at)
        incidents = self._providers.going_on(at)
        self._show(incidents)
        if read is None or end > after or incidents != before:
            message = envelope(
                [BouncesRead(upto=end, incidents=incidents)],
                correlation=subjects.bounces_read(),
                actor=ACTOR,
            )
            await self._broker.publish(
                subjects.bounces_read(), codec.encode(message), expect=last.seq if last else 0
            )
        self._upto = end

    def _show(self, incidents: Sequence[Incident]) -> None:
        """Have `postroad status` tell of these, and of no others."""
        shown = set()
        for each in incidents:
            listed = self._roster.feed.lists.get(each.list)
            if listed is None or not listed.state.open:
                continue
            address = listed.state.address
            name = f"{each.domain}, {address}"
            detail = (
                f"since {each.since:%Y-%m-%d %H:%M}; postroad member bounces {address} says why"
            )
            self._health.report("incident", name, ok=False, detail=detail, people=each.people)
            shown.add(name)
        for name in self._failing - shown:
            self._health.report("incident", name, ok=True)
        self._failing = shown

    async def _refusals(self, after: int, upto: int, at: datetime) -> None:
        async for list_, mail_id, failed in failed_between(self._broker, after, upto):
            if not self._fresh(list_, at, at):
                continue
            addresses = await self._roster.addresses([each.person for each in failed])
            for each in failed:
                if not (address := addresses.get(each.person)):
                    continue
                told = evidence.of_refusal(each.failure, address, at=at, post=mail_id)
                if told is not None:
                    cause = f"delivery {each.seq}"
                    await self._count(list_, each.person, address, told, cause=cause)

    # --- both ---------------------------------------------------------------------------------

    def _fresh(self, list_: str, at: datetime, upto: datetime) -> bool:
        """Whether what came back at `at` matters on this list, looked at `upto` a time: not what
        is stale by then, as the bounces of a year are where counting begins."""
        listed = self._roster.feed.lists.get(list_)
        if listed is None or not listed.state.open:
            return False
        stale = timedelta(days=listed.state.settings.bounce_info_stale_after)
        return not stale or upto - at <= stale

    async def _count(
        self, list_: str, person: str, address: str, told: MemberBounced, *, cause: str
    ) -> bool:
        """Decide on one bounce of one person, and write the letters that it leads to. Whether it
        had been decided on before."""
        listed = self._roster.feed.lists.get(list_)
        if listed is None:
            return False
        if not listed.state.settings.process_bounces and told.kind != "complaint":
            return False
        domain = address.rpartition("@")[2].lower()
        failing = await self._providers.failing(list_, domain, person, told)
        told = msgspec.structs.replace(told, incident=failing > 0)
        settings = listed.state.settings
        probe = notice_id(told.post, list_, f"bounces_probe {person}") if told.post else ""
        before = True

        def decide(state: decider.State) -> Sequence[Event]:
            nonlocal before
            before = False
            return decider.decide_bounce(state, told, settings, probe=probe)

        events, seq = await transact(
            self._broker,
            "MEMBERSHIP",
            subjects.membership(list_, person),
            decider.fold,
            decide,
            correlation=told.post,
            causation=cause,
            actor=ACTOR,
        )
        await self._letters.after(listed, person, address, events, seq)
        if failing and events and self._providers.news(list_, domain, told.at):
            await self._release(list_, domain, told)
            await self._letters.incident(listed, domain, failing, told, seq)
        return before

    async def _release(self, list_: str, domain: str, told: MemberBounced) -> None:
        """Start delivery again where it was stopped before an incident was known as one."""
        for person in self._providers.people(list_, domain):
            await transact(
                *(self._broker, "MEMBERSHIP", subjects.membership(list_, person)),
                decider.fold,
                partial(decider.decide_release, now=told.at),
                correlation=told.post,
                causation=f"incident {domain} {told.at.isoformat()}",
                actor=ACTOR,
            )
