"""The commands of one mail, carried out: each once, however often the mail is looked at again.

What changes a membership is stored under the mail's id and the command's place in it, so that
whoever tries again finds what came of it (`postroad.runtime.transact`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial, reduce

from postroad.mail import automatic
from postroad.mail.commandwords import Word
from postroad.mail.tokens import TokenMaker
from postroad.runtime.broker import Broker
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Retry
from postroad.runtime.transact import transact
from schemas import subjects
from schemas.envelope import Event
from schemas.membership import Consent, DeliveryMode, Role
from schemas.pending import Action, ConfirmationAsked
from schemas.road import AsOf, MailReceived
from services.membership import decider
from services.membership.bans import banned
from services.membership.directory import Listed
from services.membership.moderation.bymail import RepliedVerdicts
from services.membership.people import People
from services.membership.refused import Refused
from services.membership.requests import confirmation, intent
from services.membership.requests.answer import answer
from services.membership.requests.confirmation import NotConfirmedError
from services.membership.requests.limits import STRANGERS
from services.membership.requests.questions import Questions, fields_of
from services.membership.requests.reply import Reply
from services.membership.requests.words import Request
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


@dataclass
class Turn:
    """One mail to a command address of `listed`. `text` is what it says, where that matters;
    `mail_id` is what it was decided under, `cause` the id of that decision, `author` the one
    address in From (else empty), `proved` whether it is proved to be theirs, `doubted` whether it
    is neither that nor of anybody we know; `foreign` where the address named no list, so that any
    token fits."""

    office: Office
    listed: Listed
    mail: MailReceived
    text: str
    mail_id: str
    cause: str
    at: datetime
    author: str
    proved: bool
    doubted: bool = False
    foreign: bool = False
    changes: int = 0
    asked: tuple[Action, Reply] | None = None

    @property
    def slug(self) -> str:
        """The list."""
        return self.listed.state.slug

    @property
    def unanswerable(self) -> str:
        """Why no answer is written to it; empty where one may be."""
        return automatic.unanswerable(self.mail.facts, self.mail.envelope_from)

    @property
    def limited_as(self) -> str:
        """The cause of what it has written: one mail to thirty lists is thirty causes."""
        return f"{self.mail_id}.{self.slug}"

    async def may_be_heard(self) -> bool:
        """Whether the author may be written to, besides being asked whether to join, for all that
        is known of who that is: of a flood of forged names few are."""
        return not self.doubted or await self.office.questions.contacts.may_answer(
            self.listed.state.address, self.limited_as, at=self.at, most=STRANGERS
        )

    async def run(self, wanted: Request) -> list[Reply]:
        """Carry out every command."""
        if not wanted.words and automatic.out_of_office(self.mail.facts.subject):
            return [Reply("ignored", reason="its subject is that of a vacation notice")]
        if not wanted.words:
            return [self._say("not_understood" if wanted.strange else "help")]
        return [await self._obey(word) for word in wanted.words]

    async def _obey(self, word: Word) -> Reply:
        match word.name:
            case "join":
                return await self._join(word)
            case "leave":
                return await self._leave(word)
            case "confirm":
                return await self._confirm(word.token)
            case "mail_on" | "mail_off" | "own_on" | "own_off" | "copies_on" | "copies_off":
                return await self._set(word.name)
            case "which":
                return await self._which()
            case _:
                return self._say(word.name)

    # --- commands -----------------------------------------------------------------------------

    async def _join(self, word: Word) -> Reply:
        if not self.author:
            return _NOBODY
        if intent.for_another(word, self.author, self.listed.state.address):
            return self._refuse("third_party", "it names another address")
        if not self.listed.state.open:
            return self._refuse("list_closed", "the list is closed")
        if self._banned(self.author):
            return _BANNED
        if self.listed.state.settings.subscription_policy == "confirm":
            return await self._ask("join")
        return await self._join_open()

    async def _join_open(self) -> Reply:
        """Nobody is put onto a list without hearing of it: who cannot be told is not."""
        if reason := self.unanswerable:
            return Reply("ignored", reason=reason)
        contacts = self.office.questions.contacts
        if not self.proved and not await contacts.may_answer(
            self.author, self.limited_as, at=self.at
        ):
            return Reply("limited", reason="three letters in a day, so they would not hear of it")
        evidence = f"mail {self.mail_id}, to a list open to all"
        consent = Consent(answered=self.mail_id)
        reply = await self._subscribe(
            self.author, self._name, evidence=evidence, how="mail", consent=consent
        )
        if reply.outcome != "joined":
            return _counted(reply)
        return reply if self.proved else replace(reply, text="welcome")

    async def _leave(self, word: Word) -> Reply:
        person = self.office.tokens.read_leave(self.slug, word.token) if word.token else None
        if person is not None:
            return await self._leave_by_link(person)
        if not self.author:
            return _NOBODY
        if intent.for_another(word, self.author, self.listed.state.address):
            return self._refuse("third_party", "it names another address")
        if self.proved:
            return _counted(await self._unsubscribe(self.author, how="mail"))
        return await self._ask("leave")

    async def _leave_by_link(self, person: str) -> Reply:
        decide = partial(decider.decide_unsubscribe, how="leave link by mail")
        if not await self._change(person, decide):
            return self._say("not_member")
        return self._goodbye(await self.office.roster.address(person), person)

    async def _set(self, action: Action) -> Reply:
        if not self.author:
            return _NOBODY
        if not self.proved:
            return await self._ask(action)
        return _counted(await self._set_mail(self.author, action, how="mail"))

    async def _which(self) -> Reply:
        person = await self.office.people.find(self.author) if self.author else None
        roster = self.office.roster
        slugs = await roster.lists_of(person.id) if person else []
        found = [listed.state for slug in slugs if (listed := roster.feed.lists.get(slug))]
        lists = "\n".join(sorted(state.address for state in found if state.open))
        return self._say("which", lists=lists)

    async def _ask(self, action: Action) -> Reply:
        """Ask the author. A mail asks one question, and says which commands it left out."""
        if self.asked:
            return self._left_out(action, *self.asked)
        if reason := self.unanswerable:
            return Reply("ignored", reason=reason)
        if action != "join" and not await self.may_be_heard():
            return Reply("limited", reason="many who may be forged wrote today")
        reply = await self.office.questions.ask(
            self.listed,
            action,
            self.author,
            name=self._name,
            cause=self.limited_as,
            at=self.at,
            text="confirm_option" if action in decider.OPTIONS else "",
            proved=self.proved,
        )
        if action in decider.OPTIONS and reply.outcome == "confirmation_sent":
            reply = replace(reply, fields={**reply.fields, "wish": action})
        if reply.outcome == "limited" and self.proved:
            reply = replace(reply, text="asked_enough", to=self.author)
        self.asked = action, reply
        return reply

    def _left_out(self, action: Action, asked: Action, reply: Reply) -> Reply:
        told = reply.outcome == "confirmation_sent" and action != asked
        text = f"left_out_{'option' if action in decider.OPTIONS else action}" if told else ""
        return Reply("limited", "one mail asks one question", text=text, to=self.author)

    async def _confirm(self, token: str) -> Reply:
        confirmations = self.office.questions.confirmations
        state = await confirmations.look(token)
        if state.verdict is not None and not (self.foreign or state.verdict.list == self.slug):
            return await self.office.verdicts.stray(
                self.listed, state.verdict, correlation=self.mail_id
            )
        if state.verdict is not None:
            return await self.office.verdicts.obey(
                self.listed,
                state.verdict,
                token=token.lower(),
                subject=self.mail.facts.subject,
                text=self.text,
                cause=self.cause,
                mail_id=self.mail_id,
            )
        subject = self.mail.facts.subject
        said = answer(state.asked.action, subject, self.text) if state.asked else "yes"
        if said == "program" and confirmation.waits(state, self.slug, self.at):
            # a person may write so too: nothing is done, and they are told how
            reason = "it may be a vacation notice or a bounce, which confirms nothing"
            fields = fields_of(token.lower())
            return Reply("ignored", reason, text="not_confirmed", to=self.author, fields=fields)
        end = confirmations.decline if said == "no" else confirmations.use
        list_ = "" if self.foreign else self.slug
        try:
            asked = await end(token, list_=list_, by=self.mail_id, now=self.at)
        except NotConfirmedError as error:
            return self._refuse(error.why, error.reason)
        crashpoint("membership.confirmation_used")
        contacts = self.office.questions.contacts
        await contacts.confirmed(asked.address, asked.cause, yes=said == "yes")
        if said == "no":
            return Reply("refused", "the answer was no", "declined", to=asked.address, owed=True)
        return await self._do_confirmed(asked, confirmations.key(token))

    async def _do_confirmed(self, asked: ConfirmationAsked, token: str) -> Reply:
        how = "mail, confirmed"
        match asked.action:
            case "join" if not self.listed.state.open:
                return self._refuse("list_closed", "the list is closed")
            case "join" if asked.role == "member" and self._banned(asked.address):
                return _BANNED
            case "join":
                return await self._subscribe(
                    asked.address,
                    asked.display_name,
                    role=asked.role,
                    delivery_mode=asked.delivery_mode,
                    evidence=f"asked in {asked.cause}, confirmed by mail {self.mail_id}",
                    how=how,
                    consent=Consent(
                        asked=asked.cause.partition(".")[0],  # behind it, the list
                        text=asked.text,
                        token=token,
                        answered=self.mail_id,
                    ),
                )
            case "leave":
                return await self._unsubscribe(asked.address, how=how)
            case _:
                return await self._set_mail(asked.address, asked.action, how=how)

    # --- what they do -------------------------------------------------------------------------

    async def _subscribe(
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
        welcome = self.listed.state.settings.send_welcome_message
        text = "welcome" if welcome else ""
        return Reply("joined", text=text, to=address, owed=True, person=person.id)

    def _banned(self, address: str) -> bool:
        return banned(self.listed.state.settings, self.office.people, address)

    async def _unsubscribe(self, address: str, *, how: str) -> Reply:
        person = await self.office.people.find(address)
        decide = partial(decider.decide_unsubscribe, how=how)
        if person is None or not await self._change(person.id, decide):
            return Reply("answered", text="not_member", to=address, owed=True)
        return self._goodbye(address, person.id)

    def _goodbye(self, address: str, person: str) -> Reply:
        text = "goodbye" if self.listed.state.settings.send_goodbye_message else ""
        return Reply("left", text=text, to=address, owed=True, person=person)

    async def _set_mail(self, address: str, action: Action, *, how: str) -> Reply:
        person = await self.office.people.find(address)
        decide: Decide = partial(decider.decide_mail, on=action == "mail_on", how=how)
        if action in decider.OPTIONS:
            decide = partial(decider.decide_option, action=action, how=how)
        try:
            if person is None:
                raise decider.not_on_list()
            await self._change(person.id, decide)
        except Refused:
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
            subjects.membership(self.slug, person),
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

    # --- what is said -------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return self.mail.facts.from_[0].name if self.author else ""

    def _say(self, text: str, **fields: str) -> Reply:
        return Reply("answered", text=text, to=self.author, fields=fields)

    def _refuse(self, text: str, reason: str) -> Reply:
        return Reply("refused", reason=reason, text=text, to=self.author)


_BANNED = Reply("ignored", reason="the address is banned from this list")
_NOBODY = Reply("ignored", reason="its From is not one readable address")


def _counted(reply: Reply) -> Reply:
    """The same without a claim to be written: a From is easily forged, and a goodbye that was
    asked for by a proved one is the only one that is its due."""
    return reply if reply.outcome == "left" else replace(reply, owed=False)
