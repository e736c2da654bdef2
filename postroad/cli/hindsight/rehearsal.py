"""The router itself, deciding on past mail without a trace: what it decides is handed back."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from postroad.cli.hindsight.decided import Decided
from postroad.cli.hindsight.reader import Reader
from postroad.mail.addresses import Match
from postroad.runtime.blobs import RawMail
from postroad.runtime.errors import Reject, Retry
from postroad.runtime.service import Context
from projections.lists import Directory, List
from schemas import subjects
from schemas.commands import Author
from schemas.envelope import Event
from schemas.mail import RawRef
from schemas.road import (
    HeldAccepted,
    MailReceived,
    MailUnrouted,
    OwnerMailRouted,
    PostRouted,
    RuleHit,
)
from schemas.seen import Seen
from services.membership.moderation.decider import Stop
from services.router.context import Approval, Dmarc, Looked
from services.router.conversation import Place
from services.router.looking import Looker
from services.router.passwords import Passwords
from services.router.rules import repetition
from services.router.seen import Authors, Decision
from services.router.service import Router
from services.router.threads import Threads

TRIES = 50  # where too many wait for an answer of a name server
_NOWHERE = RawRef(mail_id="", chunks=0, size=0, sha256="", head=0)
_PASSED: Decision = ("unrouted", MailUnrouted(mail_id="", raw=_NOWHERE, reason="of another list"))


class Now(NamedTuple):
    """A decision as it would be: of which list, under which id, of what kind."""

    list: str
    mail_id: str
    kind: subjects.Kind
    event: Event


class Past(Protocol):
    """What was then."""

    def decided(self, list_: str, mail_id: str) -> Decided:
        """What was decided on a mail at a list."""

    def author(self, known: List, mail: MailReceived) -> Author:
        """Who its author was there."""


class Rehearsal(Router):
    """A router whose broker is a `Reader`, and that takes what depends on the time from `past`.

    The lists are `lists`. Of rules that ask others, `unasked` are those that cannot: what they
    stopped stays stopped. With `only` the decisions on other lists are passed over.
    """

    def __init__(
        self,
        context: Context,
        past: Past,
        lists: Directory,
        *,
        only: str = "",
        unasked: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(context)
        self.lists.directory = self.directory = self.reach.directory = lists
        assert isinstance(context.broker, Reader)
        self.reader = context.broker
        self.past = past
        self.only = only
        self.unasked = unasked
        self.authors = _Remembered(self.reader)
        self.threads = _PastThreads(self.reader, past)
        self.looker = Looker(context.config.site.header_checks, _Unjudged())
        self._found: defaultdict[str, list[Now]] = defaultdict(list)

    async def rehearse(self, mail: MailReceived, stored: datetime) -> list[Now]:
        """What would be decided on a mail that was stored then. Raises Reject where its bytes are
        gone, Retry where others do not answer for long."""
        for count in range(TRIES):
            try:
                await self._route(mail, "", stored)
                break
            except Retry as retry:
                self._found.pop(mail.mail_id, None)
                if count == TRIES - 1:
                    raise
                await asyncio.sleep(min(retry.delay, 0.1))
            except Reject:
                self._found.pop(mail.mail_id, None)
                raise
            finally:
                self.reader.forget(mail.mail_id)
        return self._found.pop(mail.mail_id, [])

    async def _decide(
        self,
        mail: MailReceived,
        to: Match,
        mail_id: str,
        stored: datetime,
        raw: RawMail,
        accepted: HeldAccepted | None = None,
        *,
        meant: bool = False,
    ) -> Decision:
        if self.only not in ("", to.slug):
            return _PASSED
        decision = await super()._decide(mail, to, mail_id, stored, raw, accepted, meant=meant)
        then = self.past.decided(to.slug, mail_id)
        if then.stopped and decision[0] == "post" and then.rule in self.unasked:
            return then.stopped.verdict, then.stopped
        if decision[0] != "held" or not (then.by_person or then.expired or then.accepted):
            return decision
        if then.kind != "post":  # a moderator has seen it, and said so; or nobody did in time
            return _verdict(then, decision)
        accepted = then.accepted or HeldAccepted(
            mail_id=mail_id, list=to.slug, held=0, raw=mail.raw
        )
        return await super()._decide(mail, to, mail_id, stored, raw, accepted, meant=meant)

    async def _ask(self, known: List, mail: MailReceived) -> Author:
        return self.past.author(known, mail)

    async def _look(
        self, mail: MailReceived, to: Match, known: List, author: Author, raw: RawMail, server: str
    ) -> Looked:
        looked = await super()._look(mail, to, known, author, raw, server)
        then = self.past.decided(known.slug, mail.mail_id)
        if mail.facts.approval or mail.opening == "approval":
            looked = replace(looked, approval=_approval(then))
        if "dmarc" in self.unasked and _refused_changed(then):
            looked = replace(looked, dmarc=Dmarc(policy="reject"))
        return looked

    async def _store(
        self,
        kind: subjects.Kind,
        event: Event,
        mail: MailReceived,
        cause: str,  # noqa: ARG002  what it is stored with, and nothing is
        mail_id: str = "",
        expect: int = 0,  # noqa: ARG002
    ) -> None:
        if event is not _PASSED[1]:
            slug = getattr(event, "list", subjects.NO_LIST)
            self._found[mail.mail_id].append(Now(slug, mail_id or mail.mail_id, kind, event))


class _Remembered(Authors):
    """What authors have posted, from the first mail on that is judged."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self._posts: dict[tuple[str, str], tuple[Seen, ...]] = {}

    async def decide(
        self, slug: str, who: str, this: Seen, decide: Callable[[tuple[Seen, ...]], Decision]
    ) -> Decision:
        earlier = self._posts.get((slug, who), ())
        decision = decide(earlier)
        if decision[0] == "post":
            self._posts[slug, who] = repetition.remembered(earlier, this)
        return decision


class _PastThreads(Threads):
    """What was a post, or mail to owners, is so still, where it was: no copy of itself."""

    def __init__(self, reader: Reader, past: Past) -> None:
        super().__init__(reader)
        self._past = past

    async def place(self, known: List, mail: MailReceived, mail_id: str) -> Place:
        post = self._past.decided(known.slug, mail_id).post
        if post is None:
            return await super().place(known, mail, mail_id)
        return Place(post.thread, post.parent, post.answers, post.namesake)

    async def told(self, mail: OwnerMailRouted, text: str) -> str:
        if self._past.decided(mail.list, mail.mail_id).kind == "owner":
            return ""
        return await super().told(mail, text)


class _Unjudged(Passwords):
    """Passwords are kept nowhere: what was found of one then stands in the decision."""

    async def judge(self, known: List, password: str) -> Approval:  # noqa: ARG002
        return ""


def _approval(then: Decided) -> Approval:
    said: PostRouted | None = then.post
    if said and said.rule == "approved":
        return "right"
    hits = (*(said.hits if said else ()), *(then.stopped.hits if then.stopped else ()))
    return "wrong" if any(hit.rule == "approved" for hit in hits) else ""


def _refused_changed(then: Decided) -> bool:
    """Whether the author's domain was found to have receivers refuse what a list changes."""
    said = then.post or then.stopped
    hits = said.hits if said else ()
    return any(hit.rule == "dmarc" and "(p=" in hit.reason for hit in hits)


def _verdict(then: Decided, decision: Decision) -> Decision:
    """What ended the waiting of a mail that would wait again."""
    stopped = then.stopped
    if stopped is None or then.kind not in ("rejected", "discarded"):
        return decision
    kind: Stop = "rejected" if then.kind == "rejected" else "discarded"
    hits = (RuleHit(rule=then.rule, reason=then.reason), *stopped.hits)
    return kind, msgspec.structs.replace(stopped, verdict=kind, hits=hits, held=then.last)
