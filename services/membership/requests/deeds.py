"""What the commands of one mail do to who is on a list, and the letters that tell of it.

What changes a membership is stored under the mail's id and the command's place in it, so that
whoever tries again finds what came of it (`postroad.runtime.transact`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce

from postroad.mail.tokens import TokenMaker
from postroad.runtime.broker import Broker
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Retry
from postroad.runtime.transact import transact
from schemas import subjects
from schemas.envelope import Event
from schemas.membership import Consent, DeliveryMode, Role
from schemas.pending import Action
from schemas.road import AsOf
from services.membership import decider
from services.membership.approvals.desk import Approvals
from services.membership.directory import Listed
from services.membership.languages import BUILT_IN
from services.membership.moderation.bymail import RepliedVerdicts
from services.membership.people import People
from services.membership.refused import Refused
from services.membership.requests.moving import Moving
from services.membership.requests.questions import Questions
from services.membership.requests.reply import Reply, in_role
from services.membership.roster import Roster

ACTOR = "service:membership"
FOLD_SECONDS = 3.0  # for the roster to take in a change before it is answered
Decide = Callable[[decider.State], Sequence[Event]]


@dataclass(frozen=True)
class Office:
    """What every turn works with."""

    broker: Broker
    roster: Roster
    people: People
    questions: Questions
    tokens: TokenMaker
    verdicts: RepliedVerdicts
    approvals: Approvals
    moving: Moving
    languages: Sequence[str] = BUILT_IN  # in which there are letters


@dataclass
class Deeds:
    """The changes that one mail makes on `listed`; `mail_id` is what it was decided under, `cause`
    the id of that decision."""

    office: Office
    listed: Listed
    mail_id: str
    cause: str
    changes: int = 0

    async def subscribe(
        self,
        address: str,
        name: str,
        *,
        role: Role = "member",
        delivery_mode: DeliveryMode = "regular",
        evidence: str,
        how: str,
        consent: Consent,
    ) -> Reply:
        """Give somebody a role."""
        person = await self.office.people.obtain(
            address, name, evidence=evidence, correlation=self.mail_id, actor=ACTOR
        )
        crashpoint("membership.person_obtained")
        decide = partial(
            decider.decide_subscribe,
            role=role,
            delivery_mode=delivery_mode,
            how=how,
            consent=consent,
        )
        if not await self._change(person.id, decide, known=person.seq):
            return Reply("answered", text="already_member", to=address, owed=True, person=person.id)
        if role != "member":
            given = Reply("joined", text="role_given", to=address, owed=True, person=person.id)
            return in_role(given, role)
        welcome = self.listed.state.settings.send_welcome_message
        text = "welcome" if welcome else ""
        return Reply("joined", text=text, to=address, owed=True, person=person.id)

    async def unsubscribe(self, address: str, *, how: str) -> Reply:
        """Take somebody off the list."""
        person = await self.office.people.find(address)
        decide = partial(decider.decide_unsubscribe, how=how)
        if person is None or not await self._change(person.id, decide):
            return Reply("answered", text="not_member", to=address, owed=True)
        return self._goodbye(address, person.id)

    async def leave_by_link(self, person: str, *, how: str) -> Reply | None:
        """Take off whom a leave token means; None where they are not on the list."""
        decide = partial(decider.decide_unsubscribe, how=how)
        if not await self._change(person, decide):
            return None
        return self._goodbye(await self.office.roster.address(person), person)

    def _goodbye(self, address: str, person: str) -> Reply:
        text = "goodbye" if self.listed.state.settings.send_goodbye_message else ""
        return Reply("left", text=text, to=address, owed=True, person=person)

    async def set_mail(
        self, address: str, action: Action, *, language: str = "", how: str
    ) -> Reply:
        """Switch a member's mail, or an option of theirs."""
        person = await self.office.people.find(address)
        decide: Decide = partial(decider.decide_mail, on=action == "mail_on", how=how)
        if action in decider.OPTIONS:
            decide = partial(decider.decide_option, action=action, language=language, how=how)
        try:
            if person is None:
                raise decider.not_on_list()
            await self._change(person.id, decide)
        except Refused as refused:
            if refused.code == "stopped":
                return Reply("refused", str(refused), text="mail_stays_off", to=address, owed=True)
            return Reply("refused", "not a member", text="not_member", to=address, owed=True)
        return Reply(
            "answered",
            text={"mail_on": "mail_is_on", "mail_off": "mail_is_off"}.get(action, action),
            to=address,
            owed=True,
            person=person.id,
        )

    async def _change(self, person: str, decide: Decide, *, known: int = 0) -> Sequence[Event]:
        """Decide on this person's membership, as a command of this mail. `known` is the sequence
        of PEOPLE that says who they are."""
        self.changes += 1
        events, seq = await transact(
            self.office.broker,
            "MEMBERSHIP",
            subjects.membership(self.listed.state.slug, person),
            lambda events: reduce(decider.evolve, events, decider.initial),
            decide,
            correlation=self.mail_id,
            causation=self.cause if self.changes == 1 else f"{self.cause}.{self.changes}",
            actor=f"person:{person}",
        )
        crashpoint("membership.request_done")
        with contextlib.suppress(Retry):  # whoever writes again at once should be known
            await self.office.roster.feed.reached(
                AsOf(membership=seq, people=known), timeout=FOLD_SECONDS
            )
        return events
