"""Whom we have written to, in PENDING: the limits, kept where every instance sees them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from postroad.mail import addresses
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, now
from postroad.runtime.errors import Conflict, Retry
from schemas import codec, subjects
from schemas.pending import Contacted
from services.membership.people import People
from services.membership.requests import limits

ACTOR = "service:membership"
TRIES = 20


class Contacts:
    """How often addresses may be written to. `cause` is the mail id or command id because of
    which it would be: the same cause is counted once. `at` defaults to now."""

    def __init__(self, broker: Broker, people: People) -> None:
        self.broker = broker
        self.people = people

    async def may_answer(self, address: str, cause: str, *, at: datetime | None = None) -> bool:
        """Whether one more automatic answer may go there; from then on it counts."""
        return await self._change(address, cause, partial(limits.answer, cause=cause, now=_or(at)))

    async def may_ask(
        self, address: str, list_: str, cause: str, *, at: datetime | None = None
    ) -> bool:
        """Whether one more confirmation may go there; from then on it counts."""
        change = partial(limits.confirmation, list_=list_, cause=cause, now=_or(at))
        return await self._change(address, cause, change)

    async def confirmed(self, address: str, cause: str) -> None:
        """The confirmation that went there because of `cause` was answered."""
        await self._change(address, cause, partial(limits.confirmed, cause=cause))

    async def _change(
        self, address: str, cause: str, change: Callable[[limits.State], limits.State | None]
    ) -> bool:
        key = self.people.key_of_normal(addresses.normalise(address))
        subject = subjects.contact(key)
        for _ in range(TRIES):
            last = await self.broker.last("PENDING", subject)
            state = limits.fold(last.envelope().events if last else ())
            after = change(state)
            if after is None or after == state:
                return after is not None
            message = envelope([Contacted(contacts=after)], correlation=cause, actor=ACTOR)
            try:
                data = codec.encode(message)
                await self.broker.publish(subject, data, expect=last.seq if last else 0)
            except Conflict:
                continue
            return True
        raise Retry("too many mails in one name at once")


def _or(at: datetime | None) -> datetime:
    return now() if at is None else at
