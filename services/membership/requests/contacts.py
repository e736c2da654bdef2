"""Whom we have written to, in PENDING: the limits, kept where every instance sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from postroad.mail import addresses
from postroad.runtime.broker import Broker
from postroad.runtime.clock import now
from postroad.runtime.transact import transact
from schemas import subjects
from schemas.envelope import Event
from schemas.pending import Action, ConfirmationAsked, Contacted
from services.membership.people import People
from services.membership.requests import limits
from services.membership.requests.limits import LimitedError

ACTOR = "service:membership"


class Contacts:
    """How often addresses may be written to. `cause` is the mail id or command id because of
    which it would be: the same cause is counted once."""

    def __init__(self, broker: Broker, people: People) -> None:
        self.broker = broker
        self.people = people

    async def may_answer(
        self,
        address: str,
        cause: str,
        *,
        at: datetime | None = None,
        most: int = limits.LETTERS,
        proved: bool = False,
    ) -> bool:
        """Whether one more automatic answer, of `most` letters a day, may go there now (or `at`);
        from then on it counts. `proved`: who is there has certainly caused it."""
        change = partial(limits.answer, cause=cause, now=at or now(), most=most, proved=proved)
        try:
            await self._change(self._key(address), cause, "answer", change)
        except LimitedError:
            return False
        return True

    async def may_answer_stranger(
        self, list_: str, author: str, cause: str, *, at: datetime
    ) -> bool:
        """Whether the list may write to one more of those who may be forged; from then on it
        counts."""
        domain = author.rpartition("@")[2].lower()
        neighbours = self.people.key_of_normal(f"{domain} at {list_}")  # no address has blanks
        change = partial(limits.answer, cause=cause, now=at, most=limits.NEIGHBOURS)
        try:
            await self._change(neighbours, cause, "answer", change)
        except LimitedError:
            return False
        return await self.may_answer(list_, cause, at=at, most=limits.STRANGERS)

    async def could_answer(self, address: str, cause: str, *, proved: bool) -> bool:
        """Whether `may_answer` would say yes now; nothing is counted."""
        state = await self._look(self._key(address))
        try:
            limits.answer(state, cause=cause, now=now(), proved=proved)
        except LimitedError:
            return False
        return True

    async def ask(
        self,
        address: str,
        list_: str,
        action: Action,
        *,
        question: str,
        cause: str,
        at: datetime,
        proved: bool = False,
        other: str = "",
        person: str = "",
    ) -> tuple[str, ...]:
        """Count one more confirmation; where the questions are stored that it puts an end to.
        Raises LimitedError. For the arguments see `limits.confirmation`; `other` is what it is
        about, and a `person` who wants to have the address has it counted among theirs."""
        confirmation = partial(
            limits.confirmation, action=action, question=question, cause=cause, now=at
        )
        change = partial(confirmation, list_=list_, about=self._about(other), proved=proved)
        wanted = self._about(addresses.normalise(address))
        scope = wanted if action == "add" else action  # they move to one, and may add several
        theirs = partial(confirmation, list_=scope, about=wanted, proved=True)
        if person:  # or a stranger's letters would be used up, and none written
            theirs(await self._look(self._of(person)))
        state = await self._change(self._key(address), cause, "confirmation", change)
        ended = limits.replaced(state, list_=list_, cause=cause)
        if person:
            state = await self._change(self._of(person), cause, "confirmation", theirs)
            ended += limits.replaced(state, list_=scope, cause=cause)
        return ended

    async def confirmed(self, asked: ConfirmationAsked, *, yes: bool) -> None:
        """This confirmation was answered."""
        change = partial(limits.confirmed, cause=asked.cause, yes=yes)
        await self._change(self._key(asked.address), asked.cause, "confirmed", change)
        if asked.person:
            await self._change(self._of(asked.person), asked.cause, "confirmed", change)

    async def _look(self, key: str) -> limits.State:
        last = await self.broker.last("PENDING", subjects.contact(key))
        return limits.fold(last.envelope().events if last else ())

    async def _change(
        self, key: str, cause: str, what: str, change: Callable[[limits.State], limits.State]
    ) -> limits.State:
        """Change what counts; what counts then."""
        state: limits.State = ()

        def decide(before: limits.State) -> Sequence[Event]:
            nonlocal state
            state = change(before)
            return () if state == before else (Contacted(contacts=state),)

        events, _ = await transact(
            self.broker,
            "PENDING",
            subjects.contact(key),
            limits.fold,
            decide,
            correlation=cause,
            causation=f"{cause}.{what}",
            actor=ACTOR,
            latest=True,
        )
        return limits.fold(events) if events else state

    def _about(self, what: str) -> str:
        return self.people.key_of_normal(what.casefold()) if what else ""

    def _of(self, person: str) -> str:
        return self.people.key_of_normal(f"addresses of {person}")  # no address has blanks

    def _key(self, address: str) -> str:
        return self.people.key_of_normal(limits.inbox(addresses.normalise(address)))
