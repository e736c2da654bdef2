"""Confirmations in PENDING: asked once a cause, used once a token."""

from __future__ import annotations

import contextlib
from datetime import datetime

from postroad.mail import addresses
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from postroad.runtime.errors import Conflict, Retry
from schemas import codec, subjects
from schemas.pending import ConfirmationAsked
from services.membership.requests import confirmation

ACTOR = "service:membership"
TRIES = 5


class Confirmations:
    """What is waiting to be confirmed."""

    def __init__(self, broker: Broker, site_key: bytes) -> None:
        self.broker = broker
        self._key = site_key

    async def ask(self, question: ConfirmationAsked) -> str:
        """Keep a question, and the token that answers it: the same for the same question."""
        address = addresses.normalise(question.address)
        token = confirmation.token_of(
            self._key, question.cause, question.list, question.action, address
        )
        message = envelope([question], correlation=question.cause, actor=ACTOR)
        with contextlib.suppress(Conflict):  # an earlier try asked
            await self.broker.publish(self._subject(token), codec.encode(message), expect=0)
        return token

    async def peek(self, token: str) -> ConfirmationAsked | None:
        """What this token would confirm, answered or not."""
        last = await self.broker.last("PENDING", self._subject(token))
        return confirmation.fold(last.envelope().events).asked if last else None

    async def use(self, token: str, *, list_: str, by: str, now: datetime) -> ConfirmationAsked:
        """Use a token up; what it confirms. The same mail `by` may use it again. Raises
        NotConfirmedError."""
        subject = self._subject(token)
        for _ in range(TRIES):
            last = await self.broker.last("PENDING", subject)
            state = confirmation.fold(last.envelope().events if last else ())
            events = confirmation.decide_use(state, list_=list_, by=by, now=now)
            assert state.asked is not None
            if not events:
                return state.asked
            message = envelope(events, correlation=by, actor=ACTOR)
            try:
                data = codec.encode(message)
                await self.broker.publish(subject, data, expect=last.seq if last else 0)
            except Conflict:
                continue
            return state.asked
        raise Retry("a confirmation is being used by several mails at once")

    def _subject(self, token: str) -> str:
        return subjects.confirmation(confirmation.key_of(self._key, token.lower()))
