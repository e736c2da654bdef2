"""Owners are told, once a day at most, whose copies have finally failed.

One event in PENDING says how far they were told; nothing else is kept. A day after the one before,
the next stretch of the ledger is claimed, read and told, and then marked as done: whoever dies on
the way leaves a claim that the next instance carries out, and letters have ids made from it, so
each goes out once. A letter has the null sender and is to nobody in the roster's eyes, so that one
that fails is in no report.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from postroad.runtime.stored import Stored
from schemas import codec, subjects
from schemas.pending import FailuresTold
from schemas.road import OwnerMailRouted, PostRouted, ProbeQueued
from services.membership.letters.letter import Letter, notice_id
from services.membership.letters.posting import Letterbox
from services.membership.letters.undelivered import Undelivered, fields, named
from services.membership.looks import again_and_again, stopped
from services.membership.owners import Owners
from services.membership.retrying import failed_between
from services.membership.roster import Roster

ACTOR = "service:membership"
DAY = timedelta(hours=24)  # between two reports
LOOK = 300.0  # seconds between two looks whether one is due

log = structlog.get_logger()


class FailureReports:
    """Tells owners of final failures."""

    def __init__(
        self, broker: Broker, roster: Roster, owners: Owners, letterbox: Letterbox
    ) -> None:
        self.broker = broker
        self.roster = roster
        self.owners = owners
        self.letterbox = letterbox

    async def run(self, stopping: asyncio.Event) -> None:
        """Look again and again until told to stop."""
        if not await stopped(stopping, LOOK):
            await again_and_again(
                *(self.look, LOOK, stopping),
                lambda error: log.error("failures.not_told", error=error),
            )

    async def look(self, at: datetime) -> None:
        """Tell what is due at this time. Raises Conflict where another instance does, Retry."""
        last = await self.broker.last("PENDING", subjects.failures_told())
        told = _told(last)
        if last is None or told is None:  # the first look: what was before is nobody's news
            end = await self._end()
            await self._store(FailuresTold(after=end, upto=end, at=at, done=True), 0)
            return
        claim, seq = last.envelope().id, last.seq
        if told.done:
            if at - told.at < DAY:
                return
            told = FailuresTold(after=told.upto, upto=await self._end(), at=at)
            claim, seq = await self._store(told, seq)
        for list_, failed in (await self._failed(told.after, told.upto)).items():
            await self._tell(list_, failed, told.at, claim, seq)
        done = FailuresTold(after=told.after, upto=told.upto, at=told.at, done=True)
        await self._store(done, seq)

    async def _end(self) -> int:
        last = await self.broker.last("DELIVERY", "delivery.>")
        return last.seq if last else 0

    async def _store(self, told: FailuresTold, expect: int) -> tuple[str, int]:
        """The id of the envelope, and its sequence."""
        message = envelope([told], correlation=subjects.failures_told(), actor=ACTOR)
        data = codec.encode(message)
        return message.id, await self.broker.publish(subjects.failures_told(), data, expect=expect)

    async def _failed(self, after: int, upto: int) -> dict[str, list[Undelivered]]:
        """Who failed in these entries and did not get it since, by list."""
        found: dict[str, list[Undelivered]] = {}
        async for list_, mail_id, failed in failed_between(self.broker, after, upto):
            if not failed or await self._probe(list_, mail_id):
                continue
            subject = await subject_of(self.broker, list_, mail_id)
            for each in failed:
                said = f"{each.failure.code or ''} {each.failure.enhanced} {each.failure.text}"
                said = " ".join(said.split())
                undelivered = Undelivered(mail_id, subject, each.person, each.why, said)
                found.setdefault(list_, []).append(undelivered)
        return found

    async def _probe(self, list_: str, mail_id: str) -> bool:
        """Whether it was a letter to see whether it fails."""
        done = await self.broker.last("ROUTED", subjects.routed("done", list_, mail_id))
        return any(isinstance(event, ProbeQueued) for event in (done.events() if done else ()))

    async def _tell(
        self, list_: str, failed: Sequence[Undelivered], at: datetime, claim: str, seq: int
    ) -> None:
        """Write to the owners of one list about those who are on it still, or in its `also_to`."""
        listed = self.roster.feed.lists.get(list_)
        if listed is None or not listed.state.open:
            return
        if not listed.state.settings.bounce_notify_owner_on_bounce_increment:
            return
        on_list = await self.roster.standings({(list_, each.person) for each in failed})
        others = [each.person for each in failed if (list_, each.person) not in on_list]
        also = listed.state.settings.also_to
        known = await self.roster.addresses(others) if also and others else {}
        failed = [
            each
            for each in failed
            if (list_, each.person) in on_list or known.get(each.person) in also
        ]
        if not failed:
            return
        said = fields(failed, await self.roster.addresses(named(failed)))
        state = listed.state
        for owner in await self.owners.of(listed, correlation=claim):
            notice = notice_id(claim, list_, f"failures {owner.person}")
            letter = Letter.of_list(
                state, notice, text="undelivered", to=owner.address, date=at, fields=said
            )
            await self.letterbox.send(letter, notice=notice, list_slug=list_, cause=claim, post=seq)


async def subject_of(broker: Broker, list_: str, mail_id: str) -> str:
    """The subject of a mail that was sent to a list or its owners; empty where it has none."""
    async for stored in broker.scan("ROUTED", subjects.decided(list_, mail_id)):
        for event in stored.envelope().events:
            if isinstance(event, PostRouted | OwnerMailRouted):
                return event.subject
    return ""


def _told(last: Stored | None) -> FailuresTold | None:
    events = last.envelope().events if last is not None else ()
    return next((event for event in events if isinstance(event, FailuresTold)), None)
