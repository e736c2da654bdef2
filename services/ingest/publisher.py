"""Puts mail into RAW and RECEIVED: what ingest writes, and under which names."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from contextlib import ExitStack

import msgspec
import structlog

from postroad.mail.headers import scan
from postroad.runtime import instruments
from postroad.runtime.blobs import CHUNK, Taken, put_raw
from postroad.runtime.broker import Message
from postroad.runtime.clock import envelope
from postroad.runtime.config import Source
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import BrokerUnavailable, Conflict, Reject
from postroad.runtime.service import Context
from postroad.runtime.telemetry import OpenSpan, current, inject
from schemas import codec, subjects
from schemas.mail import HeaderFacts, RawRef
from schemas.road import MailReceived, MailRefused
from schemas.spans import Attribute
from services.ingest.arrival import Arrival
from services.ingest.decider import Refusal
from services.ingest.description import described
from services.ingest.trace import trace_of, traced

STREAM = "RECEIVED"
IN_FLIGHT = 32  # mails being published: together 5,000 messages/s against 2,500/s one by one
TOGETHER = 12  # mails from which atomic batches pay: each costs a fixed 2 ms, and one fsync

log = structlog.get_logger()


class Publisher:
    """The way of one source's mail into the broker. Counts what was `received` and `refused`."""

    def __init__(self, context: Context, source: Source) -> None:
        self.source = source
        self.broker = context.broker
        self.telemetry = context.telemetry
        self.health = context.health
        self.received = 0
        self.refused = 0
        self._room = asyncio.Semaphore(IN_FLIGHT)

    def tell(self) -> None:
        """Count what was received and refused since the last time."""
        for outcome, count in (("received", self.received), ("refused", self.refused)):
            self.health.count(outcome, count)
            self.health.metrics.add(instruments.MAILS, self.source.name, outcome, by=count)
        self.received = self.refused = 0

    async def receive(self, mails: Sequence[tuple[Arrival, bytes]]) -> list[bool | BaseException]:
        """Publish mails at once; for each whether it is on the road, or what went wrong."""
        small = all(len(data) <= CHUNK and not mail.trace for mail, data in mails)
        if small and len(mails) >= TOGETHER:
            try:
                await self._together(mails)
            except BrokerUnavailable as error:
                return [error] * len(mails)
            except Exception as error:  # noqa: BLE001  some are stored, or one is at fault
                log.info("batch.taken_apart", mails=len(mails), why=type(error).__name__)
            else:
                return [True] * len(mails)
        tasks = [self._alone(mail, data) for mail, data in mails]
        return await asyncio.gather(*tasks, return_exceptions=True)

    async def _together(self, mails: Sequence[tuple[Arrival, bytes]]) -> None:
        """Two atomic batches: RAW, then RECEIVED. All mails or none."""
        chunks = [Message(subjects.raw(mail.mail_id, 0, 0), data, 0) for mail, data in mails]
        await self.broker.publish_batch(chunks)
        with ExitStack() as spans:
            events: list[Message] = []
            for mail, data in mails:
                span = spans.enter_context(self._span(mail, data))
                facts, head = self._scan(data, span)
                crashpoint("ingest.after_raw")
                raw = _only_chunk(mail.mail_id, data, head)
                events.append(self._message(self._received(mail, raw, facts, data)))
            await self.broker.publish_batch(events)
            crashpoint("ingest.after_received")
        self.received += len(mails)

    async def _alone(self, mail: Arrival, data: bytes) -> bool:
        async with self._room:
            with self._span(mail, data) as span:
                try:
                    received = await self._stored(mail, data, span)
                except Reject as reject:
                    return await self.refuse(mail, "unreadable", reject.reason)
                crashpoint("ingest.after_raw")
                published = await self._append(received, span)
                crashpoint("ingest.after_received")
                return published

    async def _stored(
        self, mail: Arrival, data: bytes, span: OpenSpan, trace: bytes = b""
    ) -> MailReceived:
        """Put the bytes into RAW, under the trace that an earlier try gave them if there was one.
        Raises Reject."""
        whole = traced(data, trace or mail.trace)
        facts, head = self._scan(whole, span)
        if trace or mail.trace:  # ours is no server that the mail came through
            facts = msgspec.structs.replace(facts, received=facts.received - 1)
        try:
            raw = await put_raw(self.broker, mail.mail_id, 0, whole, head)
        except Taken:
            first = await self.broker.last("RAW", subjects.raw(mail.mail_id, 0, 0))
            earlier = trace_of(first.data) if mail.trace and first else b""
            if trace or not earlier:
                raise
            return await self._stored(mail, data, span, earlier)
        return self._received(mail, raw, facts, whole)

    async def refuse(self, mail: Arrival, reason: Refusal, detail: str = "") -> bool:
        """Record that a mail is left where it is; whether it is on the road nevertheless."""
        event = MailRefused(
            mail_id=mail.mail_id,
            origin=mail.origin,
            size=mail.size,
            reason=reason,
            detail=detail,
        )
        about = {
            "source": self.source.name,
            "mail": mail.mail_id,
            "uid": mail.origin.uid,
            "found_as": mail.found_as,
            "inode": mail.inode,
            "size": mail.size,
            "reason": reason,
        }
        log.warning("mail.refused", **{key: value for key, value in about.items() if value})
        return await self._append(event, current())

    def _received(
        self, mail: Arrival, raw: RawRef, facts: HeaderFacts, data: bytes
    ) -> MailReceived:
        """What the road is told of a mail."""
        return described(
            raw,
            mail.origin,
            facts,
            data,
            sender=mail.sender,
            recipients=mail.recipients,
            waits=mail.waits,
        )

    async def _append(self, event: MailReceived | MailRefused, span: OpenSpan) -> bool:
        """Store the one event there is of a mail; whether RECEIVED has the mail now."""
        message = self._message(event)
        try:
            await self.broker.publish(message.subject, message.data, expect=message.expect)
        except Conflict:
            span.done_before()
            found = await self.broker.last(STREAM, message.subject)
            events = found.envelope().events if found else ()
            return any(isinstance(earlier, MailReceived) for earlier in events)
        if isinstance(event, MailReceived):
            self.received += 1
            return True
        self.refused += 1
        return False

    def _message(self, event: MailReceived | MailRefused) -> Message:
        data = envelope([event], correlation=event.mail_id, actor="service:ingest")
        subject = subjects.received(self.source.name, event.mail_id)
        return Message(subject, codec.encode(data), expect=0, headers=inject())

    def _span(self, mail: Arrival, data: bytes) -> OpenSpan:
        """The first of the mail's trace. It begins with the fetching of its bytes."""
        begin, end, many = mail.fetched or (0, 0, 0)
        span = self.telemetry.root(mail.mail_id, "ingest.receive", start=begin)
        span.attributes["postroad.source"] = self.source.name
        span.attributes["postroad.source_kind"] = self.source.kind
        span.attributes["postroad.size"] = len(data)
        if mail.found_as:
            span.attributes["postroad.found_as"] = mail.found_as
        if mail.origin.uid:
            span.attributes["postroad.uid"] = mail.origin.uid
            span.attributes["postroad.uidvalidity"] = mail.origin.uidvalidity
        if mail.fetched:
            fetched: dict[str, Attribute] = {"messaging.batch.message_count": many}
            span.step("ingest.fetch", begin, end, fetched)
        return span

    def _scan(self, data: bytes, span: OpenSpan) -> tuple[HeaderFacts, int]:
        begin = time.time_ns()
        facts, head = scan(data, self.source.recipient_headers)
        span.step("ingest.parse", begin, time.time_ns(), {})
        return facts, head


def _only_chunk(id_: str, data: bytes, head: int) -> RawRef:
    digest = hashlib.sha256(data).hexdigest()
    return RawRef(mail_id=id_, chunks=1, size=len(data), sha256=digest, head=head)
