"""Confirmations in PENDING: asked once a cause, ended once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from postroad.mail import addresses
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from postroad.runtime.errors import Conflict
from postroad.runtime.transact import transact
from schemas import codec, subjects
from schemas.envelope import Event
from schemas.pending import Action, ConfirmationAsked
from services.membership.requests import confirmation

ACTOR = "service:membership"


class Confirmations:
    """What is waiting to be confirmed."""

    def __init__(self, broker: Broker, site_key: bytes) -> None:
        self.broker = broker
        self._key = site_key

    def token(self, cause: str, list_: str, action: Action, address: str) -> str:
        """The token of a question: the same for the same question."""
        normal = addresses.normalise(address)
        return confirmation.token_of(self._key, cause, list_, action, normal)

    def key(self, token: str) -> str:
        """What the question of this token is stored under."""
        return confirmation.key_of(self._key, token.lower())

    async def ask(self, token: str, question: ConfirmationAsked) -> None:
        """Keep a question, to be answered by this token."""
        message = envelope([question], correlation=question.cause, actor=ACTOR)
        with contextlib.suppress(Conflict):  # an earlier try asked
            await self.broker.publish(
                subjects.confirmation(self.key(token)), codec.encode(message), expect=0
            )

    async def look(self, token: str) -> confirmation.State:
        """What this token would confirm, and what became of it."""
        last = await self.broker.last("PENDING", subjects.confirmation(self.key(token)))
        return confirmation.fold(last.envelope().events if last else ())

    async def use(self, token: str, *, list_: str, by: str, now: datetime) -> ConfirmationAsked:
        """Use a token up; what it confirms. The same mail `by` may use it again. Raises
        NotConfirmedError."""
        decide = partial(confirmation.decide_use, list_=list_, by=by, now=now)
        return await self._answered(token, decide, by)

    async def decline(self, token: str, *, list_: str, by: str, now: datetime) -> ConfirmationAsked:
        """End a question by no, as `use` does by yes."""
        decide = partial(confirmation.decide_decline, list_=list_, by=by, now=now)
        return await self._answered(token, decide, by)

    async def withdraw(self, key: str, *, by: str) -> None:
        """End the question stored under `key`, in favour of one that `by` asks."""
        await self._decide(key, partial(confirmation.decide_withdraw, by=by), by)

    async def _answered(
        self, token: str, decide: Callable[[confirmation.State], Sequence[Event]], by: str
    ) -> ConfirmationAsked:
        events = await self._decide(self.key(token), decide, by)
        state = confirmation.fold(events) if events else await self.look(token)
        assert state.asked is not None
        return state.asked

    async def _decide(
        self, key: str, decide: Callable[[confirmation.State], Sequence[Event]], by: str
    ) -> Sequence[Event]:
        subject = subjects.confirmation(key)
        events, _ = await transact(
            *(self.broker, "PENDING", subject, confirmation.fold, decide),
            correlation=by,
            actor=ACTOR,
            latest=True,
        )
        return events
