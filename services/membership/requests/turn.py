"""The commands of one mail, carried out: each once, however often the mail is looked at again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from postroad.mail import automatic
from postroad.mail.addresses import parse_address
from postroad.mail.commandwords import Word
from postroad.runtime.crashpoint import crashpoint
from schemas.addresses import AddressVerb
from schemas.lists import ListSettings
from schemas.membership import Consent
from schemas.pending import Action, ConfirmationAsked, RequestMade
from schemas.road import MailReceived
from services.membership import decider
from services.membership.approvals.decider import LIFE
from services.membership.approvals.desk import TURNED_DOWN
from services.membership.bans import banned
from services.membership.directory import Listed
from services.membership.refused import Refused
from services.membership.requests import confirmation, intent, moving, policy, verdict
from services.membership.requests.agreement import consent, evidence
from services.membership.requests.answer import answer
from services.membership.requests.confirmation import NotConfirmedError
from services.membership.requests.deeds import Deeds, Office
from services.membership.requests.questions import fields_of
from services.membership.requests.reply import Reply, counted
from services.membership.requests.words import Request

_Wish = Literal["join", "leave"]


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
    asked: tuple[Action, Reply] | None = None
    besides: list[Reply] = field(default_factory=list)  # what else there is to say
    deeds: Deeds = field(init=False)

    def __post_init__(self) -> None:
        self.deeds = Deeds(self.office, self.listed, self.mail_id, self.cause)

    @property
    def _settings(self) -> ListSettings:
        return self.listed.state.settings

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
        return not self.doubted or await self.office.questions.contacts.may_answer_stranger(
            self.listed.state.address, self.author, self.limited_as, at=self.at
        )

    async def run(self, wanted: Request) -> list[Reply]:
        """Carry out every command."""
        if not wanted.words and automatic.out_of_office(self.mail.facts.subject):
            return [Reply("ignored", reason="its subject is that of a vacation notice")]
        if not wanted.words:
            return [self._say("not_understood" if wanted.strange else "help")]
        return [await self._obey(word) for word in wanted.words] + self.besides

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
            case "language":
                return await self._set_language(word.language)
            case "move" | "address_add" | "address_drop":
                return await self._address(word)
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
        match policy.joining(
            self._settings.subscription_policy, proved=self.proved, confirmed=False
        ):
            case "do":
                return await self._join_open()
            case "ask":
                return await self._ask("join")
            case "wait":
                return counted(await self._wait("join"))

    async def _unheard(self) -> Reply | None:
        """Why the author would not hear of what is done in their name; None where they will. Whom
        a forger may have named is neither put on a list nor taken off without a letter."""
        if self.proved:
            return None
        if reason := self.unanswerable:
            return Reply("ignored", reason=reason)
        if await self.office.questions.contacts.may_answer(
            self.author, self.limited_as, at=self.at
        ):
            return None
        return Reply("limited", reason="three letters in a day, so they would not hear of it")

    async def _join_open(self) -> Reply:
        if unheard := await self._unheard():
            return unheard
        if reason := self.unanswerable:
            return Reply("ignored", reason=reason)
        reply = await self.deeds.subscribe(
            *(self.author, self._name),
            evidence=f"mail {self.mail_id}, to a list open to all",
            how="mail",
            consent=Consent(answered=self.mail_id),
        )
        return self._told(reply, "welcome")

    def _told(self, reply: Reply, text: str) -> Reply:
        """The same; where a forger may have done it, it is told whatever the list is set to."""
        if reply.outcome not in ("joined", "left"):
            return counted(reply)
        return reply if self.proved else replace(reply, text=text)

    async def _leave(self, word: Word) -> Reply:
        person = self.office.tokens.read_leave(self.slug, word.token) if word.token else None
        if person is not None:
            left = await self.deeds.leave_by_link(person, how="leave link by mail")
            return left or self._say("not_member")
        if not self.author:
            return _NOBODY
        if intent.for_another(word, self.author, self.listed.state.address):
            return self._refuse("third_party", "it names another address")
        match policy.leaving(
            self._settings.unsubscription_policy, proved=self.proved, confirmed=False
        ):
            case "do":
                return await self._leave_open()
            case "ask":
                return await self._ask("leave")
            case "wait":
                return counted(await self._wait("leave"))

    async def _leave_open(self) -> Reply:
        if unheard := await self._unheard():
            return unheard
        return self._told(await self.deeds.unsubscribe(self.author, how="mail"), "goodbye")

    async def _set_language(self, tag: str) -> Reply:
        known = {each.lower(): each for each in self.office.languages}
        if tag not in known:
            return self._say("no_language", lists="\n".join(sorted(known.values())))
        return await self._set("language", known[tag])

    async def _set(self, action: Action, language: str = "") -> Reply:
        if not self.author:
            return _NOBODY
        if not self.proved:
            return await self._ask(action, other=language)
        done = await self.deeds.set_mail(self.author, action, language=language, how="mail")
        return counted(done)

    async def _address(self, word: Word) -> Reply:
        """Another address: first it must be certain who wants it."""
        if not self.author:
            return _NOBODY
        new = parse_address(word.addresses[0])
        if new is None or self.office.roster.feed.lists.means_list(new.key):
            return self._refuse("address_unreadable", "the address is none, or that of a list")
        action = moving.ASKS[word.name]
        if not self.proved:
            return await self._ask(action, text="confirm_addresses", other=str(new))
        if reason := self.unanswerable:
            return Reply("ignored", reason=reason)
        if self.asked:
            return self._left_out(action, *self.asked)
        return await self._wish(moving.VERBS[action], self.author, str(new))

    async def _wish(self, verb: AddressVerb, own: str, address: str) -> Reply:
        try:
            reply, *told = await self.office.moving.wish(
                self.listed, verb, own, address, cause=self.limited_as, at=self.at
            )
        except Refused as refused:
            stranger = refused.code == "unknown_member"
            text = "not_member" if stranger else "address_refused"
            return Reply("refused", f"address: {refused.code}", text, own)
        self.besides += told
        self.asked = (moving.ASKS["move"], reply) if told else self.asked
        return reply

    async def _which(self) -> Reply:
        person = await self.office.people.find(self.author) if self.author else None
        roster = self.office.roster
        slugs = await roster.lists_of(person.id) if person else []
        found = [listed.state for slug in slugs if (listed := roster.feed.lists.get(slug))]
        lists = "\n".join(sorted(state.address for state in found if state.open))
        return self._say("which", lists=lists)

    async def _ask(self, action: Action, *, text: str = "", other: str = "") -> Reply:
        """Ask the author. A mail asks one question, and says which commands it left out."""
        if self.asked:
            return self._left_out(action, *self.asked)
        if reason := self.unanswerable:
            return Reply("ignored", reason=reason)
        if action != "join" and not await self.may_be_heard():
            return Reply("limited", reason="many who may be forged wrote today")
        if await self._turned_down(action):
            return TURNED_DOWN
        reply = await self.office.questions.ask(
            self.listed,
            action,
            self.author,
            name=self._name,
            cause=self.limited_as,
            at=self.at,
            text="confirm_option" if action in decider.OPTIONS else text,
            proved=self.proved,
            other=other,
        )
        if (action in decider.OPTIONS or text) and reply.outcome == "confirmation_sent":
            reply = replace(reply, fields={**reply.fields, "wish": action, "other": other})
        if reply.outcome == "limited" and self.proved:
            reply = replace(reply, text="asked_enough", to=self.author)
        self.asked = action, reply
        return reply

    async def _turned_down(self, action: Action) -> bool:
        """Whether the owners have decided already what the question would lead to."""
        return policy.for_owners(
            self._settings, action
        ) and await self.office.approvals.turned_down(self.listed, action, self.author, at=self.at)

    def _left_out(self, action: Action, asked: Action, reply: Reply) -> Reply:
        told = reply.outcome == "confirmation_sent" and action != asked
        text = f"left_out_{moving.LEFT_OUT.get(action, action)}" if told else ""
        return Reply("limited", "one mail asks one question", text=text, to=self.author)

    async def _confirm(self, token: str) -> Reply:
        confirmations = self.office.questions.confirmations
        state = await confirmations.look(token)
        subject = self.mail.facts.subject
        if state.verdict is not None:
            return await verdict.obey(
                *(self.office, self.listed, state.verdict),
                token=token.lower(),
                subject=subject,
                text=self.text,
                cause=self.cause,
                mail_id=self.mail_id,
                foreign=self.foreign,
            )
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
        await contacts.confirmed(asked, yes=said == "yes")
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
            case "join" if self._joining(asked) == "wait":
                return await self._wait("join", asked, token)
            case "join":
                return await self.deeds.subscribe(
                    asked.address,
                    asked.display_name,
                    role=asked.role,
                    delivery_mode=asked.delivery_mode,
                    evidence=evidence(asked, self.mail_id),
                    how=how,
                    consent=consent(asked, token, self.mail_id),
                )
            case "leave" if self._leaving() == "wait":
                return await self._wait("leave", asked, token)
            case "leave":
                return await self.deeds.unsubscribe(asked.address, how=how)
            case "move_away" | "add_away" | "drop":
                return await self._wish(moving.VERBS[asked.action], asked.address, asked.other)
            case "move" | "add":
                return await self.office.moving.confirmed(
                    asked, evidence=evidence(asked, self.mail_id), mail_id=self.mail_id
                )
            case _:
                return await self.deeds.set_mail(
                    asked.address, asked.action, language=asked.other, how=how
                )

    def _joining(self, asked: ConfirmationAsked) -> policy.Step:
        invited = asked.invited or asked.role != "member"
        wanted = self._settings.subscription_policy
        return policy.joining(wanted, proved=False, confirmed=True, invited=invited)

    def _leaving(self) -> policy.Step:
        return policy.leaving(self._settings.unsubscription_policy, proved=False, confirmed=True)

    async def _wait(
        self, action: _Wish, asked: ConfirmationAsked | None = None, token: str = ""
    ) -> Reply:
        """Have the owners decide on what was `asked` and confirmed, or else on what the proved
        author of this mail wants."""
        proved = f"asked in {self.mail_id}, whose From is proved"
        made = RequestMade(
            list=self.slug,
            action=action,
            address=asked.address if asked else self.author,
            display_name=asked.display_name if asked else self._name,
            delivery_mode=asked.delivery_mode if asked else "regular",
            cause=self.mail_id,
            evidence=evidence(asked, self.mail_id) if asked else proved,
            consent=consent(asked, token, self.mail_id)
            if asked
            else Consent(answered=self.mail_id),
            at=self.at,
            expires=self.at + LIFE,
        )
        return await self.office.approvals.wait(self.listed, made)

    def _banned(self, address: str) -> bool:
        return banned(self._settings, self.office.people, address)

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
