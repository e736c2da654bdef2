"""The router's I/O: mail.received in, one decision per mail and list out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import msgspec

from postroad.mail.addresses import Match
from postroad.mail.tokens import TokenMaker
from postroad.runtime.blobs import RawMail, put_changed
from postroad.runtime.clock import envelope
from postroad.runtime.config import Domain, Source
from postroad.runtime.consume import Delivery
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Reject, Retry
from postroad.runtime.service import Context, Service
from projections.listfeed import ListFeed
from projections.lists import List
from schemas import codec, subjects
from schemas.commands import Author
from schemas.envelope import Event
from schemas.road import HeldAccepted, MailReceived, MailRefused, OwnerMailRouted, PostRouted
from services.router import copies, decider, telling
from services.router.bounces import Bounces, Copy
from services.router.content.approvalline import STAYS
from services.router.content.filter import ContentFilter
from services.router.content.job import Job, Left
from services.router.context import NOTHING, Hooked, Looked
from services.router.hooking import Hooks
from services.router.looking import Looker
from services.router.lookups.asking import Lookups
from services.router.reach import GONE, Reach
from services.router.recipients import truths, who_is_asked
from services.router.rules import repetition
from services.router.seen import Authors, stranger
from services.router.threads import Threads

AT_ONCE = 64  # mails in hand; what they store meets in group commits
LARGE = 1 << 20  # octets of a mail that is looked into

_encode = msgspec.json.Encoder().encode
_author = msgspec.json.Decoder(Author)


class Router:
    """What the handler works with: every list, folded in memory, and the sources by name."""

    def __init__(self, context: Context) -> None:
        site = context.config.site
        self.broker, self.metrics = context.broker, context.health.metrics
        self.lists = ListFeed(context.broker)
        self.directory = self.lists.directory
        self.bounces = Bounces(context.broker, lambda: TokenMaker(context.config.kept_key()))
        self.reach = Reach(context.config, self.directory, self.bounces)
        self.authors = Authors(context.broker)
        self.looker = Looker(site.header_checks)
        self.lookups = Lookups(context)
        self.hooks = Hooks(site.hooks, context.health)
        self.content = ContentFilter(context.broker)
        self.threads = Threads(context.broker)
        self._large = asyncio.Lock()  # so that one large mail is in memory, not 32

    async def handle(self, delivery: Delivery) -> None:
        """Decide on one mail that a source took; one it left where it was needs no decision."""
        received = delivery.envelope()
        for event in received.events:
            match event:
                case MailReceived():
                    if delivery.subject != subjects.received(event.origin.source, event.mail_id):
                        raise Reject("the mail is of another subject")
                    stored = datetime.fromtimestamp(delivery.ns / 1e9, UTC)
                    await self._route(event, received.id, stored)
                case MailRefused():
                    pass
                case _:
                    raise Reject(f"{type(event).__name__} is not for the router")
        crashpoint("router.before_ack")

    async def accept(self, delivery: Delivery) -> None:
        """Make the post of a held mail that was let through: as if it had just come, but for the
        rules that a moderator may overrule."""
        message = delivery.envelope()
        for event in message.events:
            if not isinstance(event, HeldAccepted):
                raise Reject(f"{type(event).__name__} is no accepted mail")
            if delivery.subject != subjects.routed("accepted", event.list, event.mail_id):
                raise Reject("the mail is of another subject")
            last = await self.broker.last("ROUTED", subjects.decided(event.list, event.mail_id))
            if last is not None and last.seq > delivery.seq:
                continue  # posted before; the mail itself may be gone by now
            if self.directory.seq < event.settings:
                await self.lists.catch_up()
            where = subjects.received("*", event.raw.mail_id)
            last = await self.broker.last("RECEIVED", where)
            events = last.envelope().events if last else ()
            mail = next((each for each in events if isinstance(each, MailReceived)), None)
            if mail is None or last is None:
                raise Reject("the mail that was accepted is not in RECEIVED")
            to, raw = Match(event.list, "", ""), RawMail(self.broker, mail.raw)
            decision = await self._decide(mail, to, event.mail_id, last.time, raw, event)
            crashpoint("router.before_accepted_post")
            await self._store(*decision, mail, message.id, event.mail_id, expect=delivery.seq)
        crashpoint("router.before_ack")

    async def _route(self, mail: MailReceived, cause: str, stored: datetime) -> None:
        """Decide on one mail; `stored` is the broker's time, as is that of a list's creation."""
        source = self.reach.source(mail)
        if source and not self.reach.knows_all(mail, source):
            await self.lists.catch_up()  # one may be of a list that was created a moment ago
        to = self.reach.recipients(mail, source) if source else ()
        to = tuple(address for address in to if self._existed(address.slug, stored))
        raw = RawMail(self.broker, mail.raw)
        if not to:
            await self._store(*await self._unaddressed(mail, source, stored, raw), mail, cause)
            return
        for count, (mail_id, address) in enumerate(decider.numbered(mail.mail_id, to)):
            if count == 1:
                crashpoint("router.after_first_list")
            decision = await self._decide(mail, address, mail_id, stored, raw)
            await self._store(*decision, mail, cause, mail_id)

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
    ) -> tuple[subjects.Kind, Event]:
        """The decision on a mail at one of the addresses it was sent to, or, once a moderator
        has `accepted` it, where it was held. `meant` for this list it may be without naming it."""
        source = self.reach.source(mail) or GONE
        if to.slug == subjects.NO_LIST:
            return await self._once(mail, *self._decide_unlisted(mail, to, mail_id, source))
        known = self.directory[to.slug]
        if to.sub == "bounces":
            about = await self.bounces.at(known.slug, to.token, mail.returned)
            return self._bounce(mail, about, to.token, mail_id)
        if to.sub in ("", "owner") and accepted is None and decider.may_report(mail):
            copy = await self._returned(mail, (known,))
            if copy or (not to.sub and decider.bounces_here(mail, known)):
                return self._bounce(mail, copy or Copy(known.slug), "", mail_id)
        author = await self._ask(known, mail) if decider.asks_for_author(to) else decider.NOBODY
        mail, raw, trouble = await self._rewritten(mail, to, known, author, raw)
        looked = await self._look(mail, to, known, author, raw, source.authserv_id)
        looked = replace(looked, hooked=Hooked(trouble=trouble)) if trouble else looked
        looked = replace(looked, meant=True) if meant or source.list else looked
        decide = partial(
            decider.decide,
            mail,
            to,
            known,
            author,
            mail_id=mail_id,
            authserv_id=source.authserv_id,
            looked=looked,
            accepted=accepted,
        )
        kind, event = decide()
        if kind in ("post", "held") and (own := await self._own_copy(mail, known, author)):
            return own
        if job := self._job(mail, known, kind):
            looked = replace(looked, filtered=await self._left(raw, job))
            decide = partial(decide, looked=looked)
            kind, event = decide()
        told_apart = mail.body_sha256 and not mail.facts.list_ids and accepted is None
        if kind == "post" and told_apart and repetition.answers(mail):
            this = repetition.seen(mail, decider.digest(mail), mail.origin.arrived or stored)
            who = author.person or stranger(mail.facts.from_[0].address)
            kind, event = await self.authors.decide(
                known.slug, who, this, lambda earlier: decide(this=this, earlier=earlier)
            )
        if isinstance(event, PostRouted):
            place = await self.threads.place(known, mail, event.mail_id)
            if place.first:
                return decider.decide_duplicate(mail, known, author, place.first)
            event = copies.placed(event, known, place)
            event = await self._with_body(event, known, raw, looked)
        return await self._once(mail, kind, event)

    async def _once(
        self, mail: MailReceived, kind: subjects.Kind, event: Event
    ) -> tuple[subjects.Kind, Event]:
        """The decision, unless it has a mail go to owners who have had it."""
        if isinstance(event, OwnerMailRouted) and (
            first := await self.threads.told(event, decider.digest(mail))
        ):
            return decider.decide_told(event, first)
        return kind, event

    def _decide_unlisted(
        self, mail: MailReceived, to: Match, mail_id: str, source: Source
    ) -> tuple[subjects.Kind, Event]:
        """The decision on a mail to an address that is of no list: of a domain, or of a token."""
        if to.sub == "owner":
            authserv_id = source.authserv_id
            return decider.decide_domain(mail, to.token, mail_id=mail_id, authserv_id=authserv_id)
        domain = self.reach.domain(source)
        return decider.decide_command(mail, to, mail_id=mail_id, domain=domain)

    async def _rewritten(
        self, mail: MailReceived, to: Match, known: List, author: Author, raw: RawMail
    ) -> tuple[MailReceived, RawMail, str]:
        """A post with the text that hooks give it, and why one could not be asked. Raises Retry,
        Reject (see `get_raw`)."""
        if to.sub or not self.hooks.rewrites(mail):
            return mail, raw, ""
        async with self._room(raw):
            came = await raw.whole()
            changed, data, trouble = await self.hooks.rewrite(mail, known, author, came)
            if data is came:
                return mail, raw, trouble
            ref = await put_changed(self.broker, mail.raw.mail_id, data, changed.raw.head)
        return msgspec.structs.replace(changed, raw=ref), RawMail(self.broker, ref), trouble

    async def _look(
        self, mail: MailReceived, to: Match, known: List, author: Author, raw: RawMail, server: str
    ) -> Looked:
        """What the rules need of the mail itself, and of others; `server` is whose
        Authentication-Results are believed. Raises Retry, Reject."""
        if to.sub:
            return NOTHING
        looked = await self.looker.look(mail, known, raw)
        looked = await self.lookups.add(looked, mail, known, raw, server)
        return await self.hooks.add(looked, mail, known, author, raw)

    def _job(self, mail: MailReceived, known: List, kind: subjects.Kind) -> Job | None:
        """What is to be made of the body of a post, or of what may become one; None for nothing."""
        if kind not in ("post", "held"):
            return None
        passwords, held = self.directory.any_password, kind == "held"
        return self.content.job(mail, known.settings, passwords=passwords, held=held)

    async def _left(self, raw: RawMail, job: Job) -> Left:
        """What the list's members get of a mail. Raises Retry, Reject (see `get_raw`)."""
        async with self._room(raw):
            return await self.content.look(raw, job)

    async def _with_body(
        self, post: PostRouted, known: List, raw: RawMail, looked: Looked
    ) -> PostRouted:
        """The post with the body that members get: with what is left of it, and with the list's
        lines. Raises Retry, Reject (see `get_raw`)."""
        left = looked.filtered
        if left and left.password and looked.approval == "right":
            raise Reject(STAYS)  # no verdict lets it through but one older than the password
        async with self._room(raw):
            if left and left.pieces:
                post = await self.content.apply(post, raw, left)
                raw = RawMail(self.broker, post.raw)
            if copies.wraps(post, known):
                post = await self.content.wrap(post, raw)
                raw = RawMail(self.broker, post.raw)
            if copies.has_lines(post, known):
                post = copies.decorated(post, known, await raw.whole())
        return post

    def _room(self, raw: RawMail) -> AbstractAsyncContextManager[object]:
        """For as long as all of a mail is in memory: of large ones there is one at a time."""
        return self._large if raw.ref.size > LARGE else contextlib.nullcontext()

    async def _own_copy(
        self, mail: MailReceived, known: List, author: Author
    ) -> tuple[subjects.Kind, Event] | None:
        """The decision on a copy of a cross-post that another list sent out, and that names this
        one too. Its From may be ours, so that it would be held; nobody need look at it."""
        trace, source = mail.facts.trace, self.reach.source(mail) or GONE
        if not trace:
            return None
        if await self.bounces.sent(known.slug, trace):
            return decider.decide_duplicate(mail, known, author, trace)
        if truths(mail, source.user):  # sent to this very list, which may be a member of another
            first = await self.threads.original_at(known.slug, mail)
            return decider.decide_duplicate(mail, known, author, first) if first else None
        for id_ in mail.facts.list_ids:
            other = self.directory.named(id_, self.reach.domain(source))
            if other and await self.bounces.sent(other.slug, trace):
                return decider.decide_copy(mail, known, author)
        return None

    async def _unaddressed(
        self, mail: MailReceived, source: Source | None, stored: datetime, raw: RawMail
    ) -> tuple[subjects.Kind, Event]:
        """The decision on a mail that is for none of our lists, by its addresses."""
        if source is None:
            return decider.decide_unrouted(mail, self.reach.why_unrouted(mail, None))
        if copy := await self._returned(mail, self.reach.lists(source)):
            return self._bounce(mail, copy)
        for id_ in mail.facts.list_ids:
            known = self.directory.named(id_, self.reach.domain(source))
            if known and self.reach.includes(source, known):
                return decider.decide_own(mail, known)
        match domain := self.reach.caught(mail, source):
            case None:
                return decider.decide_unrouted(mail, self.reach.why_unrouted(mail, source))
            case Domain(catch_all="discard"):
                return decider.decide_caught(mail)
            case Domain(catch_all="owner"):
                name, authserv_id = domain.name.lower(), source.authserv_id
                decision = decider.decide_domain(mail, name, authserv_id=authserv_id)
                return await self._once(mail, *decision)
        known = self.reach.at(domain.catch_all, domain)
        if known is None or not self._existed(known.slug, stored):
            reason = "the list that its domain gives such mail to (catch_all) does not exist"
            return decider.decide_unrouted(mail, reason)
        to = Match(known.slug, "", "")
        return await self._decide(mail, to, mail.mail_id, stored, raw, meant=True)

    async def _returned(self, mail: MailReceived, lists: Sequence[List]) -> Copy | None:
        """The mail of ours that this one brings back, where it is a report on one of a list that
        its source reaches."""
        returned, source = mail.returned, self.reach.source(mail)
        if returned is None or source is None or not (returned.trace or returned.copy):
            return None
        named = self.directory.named(returned.list_id, self.reach.domain(source))
        copy = await self.bounces.anywhere(returned, named, lists)
        known = self.directory.get(copy.slug) if copy else None
        return copy if known and self.reach.includes(source, known) else None

    def _bounce(
        self, mail: MailReceived, copy: Copy, token: str = "", mail_id: str = ""
    ) -> tuple[subjects.Kind, Event]:
        known = self.directory[copy.slug]
        return decider.decide_bounce(
            mail, known, token, about=copy.about, number=copy.number, mail_id=mail_id
        )

    def _existed(self, slug: str, when: datetime) -> bool:
        """Mail older than a list is not for it: reading the stream again must not post it."""
        known = self.directory.get(slug)
        return known is None or known.created is None or known.created <= when

    async def _ask(self, known: List, mail: MailReceived) -> Author:
        """What membership says of the author. Raises Retry where it does not say."""
        question = _encode(who_is_asked(mail, known))
        answer = await self.broker.request(subjects.command("whois"), question)
        try:
            return _author.decode(answer)
        except msgspec.DecodeError:  # an error of NATS micro has no body
            raise Retry("membership could not say who the author is") from None

    async def _store(
        self,
        kind: subjects.Kind,
        event: Event,
        mail: MailReceived,
        cause: str,
        mail_id: str = "",
        expect: int = 0,
    ) -> None:
        """Record the decision, unless there is one, or one behind the verdict at `expect`."""
        mail_id = mail_id or mail.mail_id
        slug = getattr(event, "list", subjects.NO_LIST)
        of, actor = mail.mail_id, "service:router"
        message = envelope([event], correlation=of, causation=cause, actor=actor)
        with telling.decided(kind, event, slug, self.metrics):
            await self.broker.publish(
                subjects.routed(kind, slug, mail_id),
                codec.encode(message),
                expect=expect,
                expect_filter=subjects.decided(slug, mail_id),
            )


async def run(context: Context) -> None:
    """Decide on mail until told to stop."""
    router = Router(context)
    async with (
        contextlib.aclosing(router.content),
        contextlib.aclosing(router.lookups),
        asyncio.TaskGroup() as group,
    ):
        following = group.create_task(router.lists.follow())
        while not context.stopping.is_set():
            try:
                await router.lists.catch_up()
                break
            except Retry as retry:
                context.health.error(retry.reason)
                await asyncio.sleep(retry.delay)
        context.ready()
        accepts = context.consume(subjects.ACCEPTED, router.accept, span="router.accept")
        accepting = group.create_task(accepts)
        await context.consume(subjects.ROUTER, router.handle, concurrency=AT_ONCE)
        await accepting
        following.cancel()


SERVICE = Service(name="router", about="decides what each mail is, and for which list", run=run)
