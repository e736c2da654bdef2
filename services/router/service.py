"""The router's I/O: mail.received in, one decision per mail and list out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
import structlog

from postroad.mail.addresses import Match
from postroad.runtime.clock import envelope
from postroad.runtime.config import Source
from postroad.runtime.consume import Delivery
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict, Reject, Retry
from postroad.runtime.service import Context, Service
from postroad.runtime.stored import Stored
from schemas import codec, subjects
from schemas.codec import UnknownEvent
from schemas.commands import Author, WhoIs
from schemas.envelope import Event
from schemas.road import MailReceived, MailRefused
from services.router import decider
from services.router.lists import Directory, List
from services.router.recipients import recipients, sent_to

CATCH_UP_SECONDS = 10.0  # to read what LISTS holds; 40,000 lists take one

log = structlog.get_logger()
_encode = msgspec.json.Encoder().encode
_author = msgspec.json.Decoder(Author)


class Router:
    """What the handler works with: every list, folded in memory, and the sources by name."""

    def __init__(self, context: Context) -> None:
        self.broker = context.broker
        self.sources = {source.name: source for source in context.config.source}
        self.web = context.config.site.base_url if context.config.web else ""
        self.directory = Directory()
        self._folded = asyncio.Condition()

    async def follow(self) -> None:
        """Fold LISTS, for ever."""
        while True:
            with contextlib.suppress(Retry):
                async for batch in self.broker.follow("LISTS", "lists.>", self.directory.seq + 1):
                    await self._fold(batch)
            await asyncio.sleep(1.0)

    async def _fold(self, batch: Iterable[Stored]) -> None:
        for stored in batch:
            slug = stored.subject.removeprefix("lists.")
            try:
                message = stored.envelope()
            except UnknownEvent:  # of a newer release: it concerns settings we do not have
                log.warning("list.event_unknown", seq=stored.seq)
                self.directory.fold(slug, stored.seq, ())
            else:
                self.directory.fold(slug, stored.seq, message.events, stored.time)
        async with self._folded:
            self._folded.notify_all()

    async def catch_up(self) -> None:
        """Wait until every list stored so far is known. Raises Retry where that takes long."""
        last = await self.broker.last("LISTS", "lists.>")
        if last is None or self.directory.seq >= last.seq:
            return
        try:
            async with asyncio.timeout(CATCH_UP_SECONDS), self._folded:
                await self._folded.wait_for(lambda: self.directory.seq >= last.seq)
        except TimeoutError:
            raise Retry("the stream of lists cannot be read to its end") from None

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

    async def _route(self, mail: MailReceived, cause: str, stored: datetime) -> None:
        """Decide on one mail; `stored` is the broker's time, as is that of a list's creation."""
        source = self.sources.get(mail.origin.source)
        to = self._recipients(mail, source)
        if source and len(to) < len(sent_to(mail, source.user)):
            await self.catch_up()  # one of the others may be a list that was created a moment ago
            to = self._recipients(mail, source)
        to = tuple(address for address in to if self._existed(address.slug, stored))
        if not to:
            reason = self._why_unrouted(mail, source)
            await self._store(*decider.decide_unrouted(mail, reason), mail, cause)
            return
        for count, (mail_id, address) in enumerate(decider.numbered(mail.mail_id, to)):
            if count == 1:
                crashpoint("router.after_first_list")
            known = self.directory[address.slug]
            author = (
                await self._ask(known, mail) if decider.asks_for_author(address) else decider.NOBODY
            )
            kind, event = decider.decide(
                mail, address, known, author, mail_id=mail_id, web=self.web
            )
            await self._store(kind, event, mail, cause, known.slug, mail_id)

    def _recipients(self, mail: MailReceived, source: Source | None) -> tuple[Match, ...]:
        if source is None:
            return ()
        return recipients(mail, self.directory.reach(_domain(source)), mailbox=source.user)

    def _existed(self, slug: str, when: datetime) -> bool:
        """Mail older than a list is not for it: reading the stream again must not post it."""
        created = self.directory[slug].created
        return created is None or created <= when

    def _why_unrouted(self, mail: MailReceived, source: Source | None) -> str:
        """Why this mail is for none of our lists, with what to do about it. Names no address:
        the record outlives the mail."""
        if source is None:
            return f"its source {mail.origin.source!r} is no longer in the settings"
        if not sent_to(mail, source.user):
            return "it names no recipient in To or Cc"
        closed = self.directory.reach(_domain(source), closed=True)
        if recipients(mail, closed, mailbox=source.user):
            return "it is for a list that is closed"
        if self._recipients(mail, source):
            return "it is older than the list it is for; have it sent again"
        where = f" of {source.domain}" if source.domain else ""
        return (
            f"none of its recipients is a list{where}; create it with `postroad list create`, "
            "then have the mail sent again"
        )

    async def _ask(self, known: List, mail: MailReceived) -> Author:
        """What membership says of the author. Raises Retry where it does not say."""
        authors = mail.facts.from_
        question = WhoIs(list=known.slug, address=authors[0].address if len(authors) == 1 else "")
        answer = await self.broker.request(subjects.command("whois"), _encode(question))
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
        slug: str = subjects.NO_LIST,
        mail_id: str = "",
    ) -> None:
        """Record the decision, unless this mail and list have one already."""
        mail_id = mail_id or mail.mail_id
        message = envelope(
            [event], correlation=mail.mail_id, causation=cause, actor="service:router"
        )
        with contextlib.suppress(Conflict):  # decided by an earlier delivery of the same mail
            await self.broker.publish(
                subjects.routed(kind, slug, mail_id),
                codec.encode(message),
                expect=0,
                expect_filter=subjects.decided(slug, mail_id),
            )


def _domain(source: Source) -> str:
    return source.domain.lower()


async def run(context: Context) -> None:
    """Decide on mail until told to stop."""
    router = Router(context)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(router.follow())
        while not context.stopping.is_set():
            try:
                await router.catch_up()
                break
            except Retry as retry:
                context.health.error(retry.reason)
                await asyncio.sleep(retry.delay)
        context.ready()
        await context.consume(subjects.ROUTER, router.handle, concurrency=32)
        following.cancel()


SERVICE = Service(name="router", about="decides what each mail is, and for which list", run=run)
