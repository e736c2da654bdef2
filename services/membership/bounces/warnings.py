"""Who is stopped is warned, and in the end removed.

What there is to remember of warnings stands in MEMBERSHIP. A removal is claimed in PENDING first:
who is removed is no more looked for, and whoever dies on the way leaves a claim, by which the next
look finds the removal again and writes the letters about it, which have ids, so each goes out once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog

from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, new_id
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.stored import Stored
from postroad.runtime.transact import transact
from schemas import codec, subjects
from schemas.envelope import Event
from schemas.membership import MemberBounced, MemberUnsubscribed, MemberWarned
from schemas.pending import RemovalDue
from services.membership.bounces import decider
from services.membership.bounces.letters import BounceLetters
from services.membership.directory import Listed
from services.membership.looks import again_and_again
from services.membership.roster import Roster

ACTOR = "service:membership"
LOOK = 600.0  # seconds between two looks
# After a warning its letter is looked for, in case its writer died; one that was queued stays so.
# At its first look an instance knows of none that died before it.
AGAIN = timedelta(hours=1)
FIRST = timedelta(days=5)

log = structlog.get_logger()


class Warnings:
    """Looks after those whose delivery bounces have stopped."""

    def __init__(self, broker: Broker, roster: Roster, letters: BounceLetters) -> None:
        self._broker = broker
        self._roster = roster
        self._letters = letters
        self._again = FIRST

    async def run(self, stopping: asyncio.Event) -> None:
        """Look again and again until told to stop."""
        await again_and_again(
            *(self.look, LOOK, stopping),
            lambda error: log.error("bounces.not_warned", error=error),
        )

    async def look(self, at: datetime) -> None:
        """Warn and remove all for whom it is time. Raises Conflict where another instance does,
        Retry."""
        for claim in await self._claims():
            await self._carry_out(claim)
        for list_, person in await self._roster.bounced():
            await self._look(list_, person, at)
        self._again = AGAIN

    async def _look(self, list_: str, person: str, at: datetime) -> None:
        listed = self._roster.feed.lists.get(list_)
        if listed is None or not listed.state.open:
            return
        life = await self._life(list_, person)
        state = decider.fold(life)
        due = decider.decide_overdue(state, listed.state.settings, at)
        if any(isinstance(event, MemberUnsubscribed) for event in due):
            await self._carry_out(await self._claim(list_, person, at))
            return
        events: Sequence[Event] = ()
        seq = 0
        if due:
            events, seq = await self._decide(listed, person, at, correlation=new_id())
        elif state.warned and at - state.warned < self._again:
            events = (MemberWarned(number=state.warnings, at=state.warned),)
        await self._write(listed, person, events, seq, life)

    async def _decide(
        self, listed: Listed, person: str, at: datetime, *, correlation: str
    ) -> tuple[Sequence[Event], int]:
        return await transact(
            self._broker,
            "MEMBERSHIP",
            subjects.membership(listed.state.slug, person),
            decider.fold,
            partial(decider.decide_overdue, settings=listed.state.settings, now=at),
            correlation=correlation,
            actor=ACTOR,
        )

    # --- removals -----------------------------------------------------------------------------

    async def _claim(self, list_: str, person: str, at: datetime) -> Stored:
        subject = subjects.removal(list_, person)
        before = await self._broker.last("PENDING", subject)
        if before is not None and not _due(before).done:
            return before
        return await self._store(subject, RemovalDue(at=at), before.seq if before else 0)

    async def _claims(self) -> list[Stored]:
        """Removals that are not known to be done."""
        found = {}
        async for stored in self._broker.scan("PENDING", subjects.removal("*", "*")):
            found[stored.subject] = stored  # the last one counts
        return [stored for stored in found.values() if not _due(stored).done]

    async def _carry_out(self, claim: Stored) -> None:
        _, _, list_, person = claim.subject.split(".")
        due, listed = _due(claim), self._roster.feed.lists.get(list_)
        if listed is not None:
            events, seq = await self._decide(
                listed, person, due.at, correlation=claim.envelope().id
            )
            crashpoint("membership.bounces_removed")
            await self._write(listed, person, events, seq, await self._life(list_, person))
        await self._store(claim.subject, RemovalDue(at=due.at, done=True), claim.seq)

    async def _store(self, subject: str, event: RemovalDue, expect: int) -> Stored:
        message = envelope([event], correlation=subject, actor=ACTOR)
        await self._broker.publish(subject, codec.encode(message), expect=expect)
        stored = await self._broker.last("PENDING", subject)
        assert stored is not None
        return stored

    # --- both ---------------------------------------------------------------------------------

    async def _life(self, list_: str, person: str) -> list[Event]:
        subject = subjects.membership(list_, person)
        stored = [one async for one in self._broker.scan("MEMBERSHIP", subject)]
        return [event for one in stored for event in one.events()]

    async def _write(
        self,
        listed: Listed,
        person: str,
        events: Sequence[Event],
        seq: int,
        life: Sequence[Event],
    ) -> None:
        last = next((event for event in reversed(life) if isinstance(event, MemberBounced)), None)
        if events and (address := await self._roster.address(person)):
            await self._letters.after(listed, person, address, events, seq, last)


def _due(claim: Stored) -> RemovalDue:
    return next(event for event in claim.envelope().events if isinstance(event, RemovalDue))
