"""Who is stopped is warned, and in the end removed.

All there is to remember stands in MEMBERSHIP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id
from postroad.runtime.transact import transact
from schemas import subjects
from schemas.envelope import Event
from schemas.membership import MemberWarned
from services.membership.bounces import decider
from services.membership.bounces.letters import BounceLetters
from services.membership.looks import again_and_again
from services.membership.roster import Roster

ACTOR = "service:membership"
LOOK = 600.0  # seconds between two looks
# After a decision its letter is looked for, in case its writer died; one that was queued stays so.
AGAIN = timedelta(hours=1)

log = structlog.get_logger()


class Warnings:
    """Looks after those whose delivery bounces have stopped."""

    def __init__(self, broker: Broker, roster: Roster, letters: BounceLetters) -> None:
        self._broker = broker
        self._roster = roster
        self._letters = letters

    async def run(self, stopping: asyncio.Event) -> None:
        """Look again and again until told to stop."""
        await again_and_again(
            *(self.look, LOOK, stopping),
            lambda error: log.error("bounces.not_warned", error=error),
        )

    async def look(self, at: datetime) -> None:
        """Warn and remove all for whom it is time. Raises Retry."""
        for list_, person in await self._roster.bounced():
            await self._look(list_, person, at)

    async def _look(self, list_: str, person: str, at: datetime) -> None:
        listed = self._roster.feed.lists.get(list_)
        if listed is None or not listed.state.open:
            return
        settings = listed.state.settings
        last: list[decider.State] = []

        def decide(state: decider.State) -> Sequence[Event]:
            last[:] = [state]
            return decider.decide_overdue(state, settings, at)

        events, seq = await transact(
            self._broker,
            "MEMBERSHIP",
            subjects.membership(list_, person),
            decider.fold,
            decide,
            correlation=new_id(),
            actor=ACTOR,
        )
        state = last[0] if last else decider.initial
        if not events and state.warned and at - state.warned < AGAIN:
            events = (MemberWarned(number=state.warnings, at=state.warned),)
        if events and (address := await self._roster.address(person)):
            await self._letters.after(listed, address, events, seq, state.last)
