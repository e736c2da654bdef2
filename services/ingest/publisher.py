"""Puts mail into RAW and RECEIVED: what ingest writes, and under which names."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack

import msgspec
import structlog

from postroad.mail.headers import scan
from postroad.runtime.blobs import CHUNK, Taken, put_raw
from postroad.runtime.broker import Message
from postroad.runtime.clock import envelope
from postroad.runtime.config import Source
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import BrokerUnavailable, Conflict, Reject
from postroad.runtime.service import Context
from postroad.runtime.telemetry import inject
from schemas import codec, subjects
from schemas.mail import HeaderFacts, RawRef
from schemas.road import MailReceived, MailRefused
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
        self.received = 0
        self.refused = 0
        self._room = asyncio.Semaphore(IN_FLIGHT)

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
                spans.enter_context(self._span(mail, data))
                facts, head = scan(data, self.source.recipient_headers)
                crashpoint("ingest.after_raw")
                raw = _only_chunk(mail.mail_id, data, head)
                events.append(self._message(self._received(mail, raw, facts, data)))
            await self.broker.publish_batch(events)
            crashpoint("ingest.after_received")
        self.received += len(mails)

    async def _alone(self, mail: Arrival, data: bytes) -> bool:
        async with self._room:
            with self._span(mail, data):
                try:
                    received = await self._stored(mail, data)
                except Reject as reject:
                    return await self.refuse(mail, "unreadable", reject.reason)
                crashpoint("ingest.after_raw")
                published = await self._append(received)
                crashpoint("ingest.after_received")
                return published

    async def _stored(self, mail: Arrival, data: bytes, trace: bytes = b"") -> MailReceived:
        """Put the bytes into RAW, under the trace that an earlier try gave them if there was one.
        Raises Reject."""
        whole = traced(data, trace or mail.trace)
        facts, head = scan(whole, self.source.recipient_headers)
        if trace or mail.trace:  # ours is no server that the mail came through
            facts = msgspec.structs.replace(facts, received=facts.received - 1)
        try:
            raw = await put_raw(self.broker, mail.mail_id, 0, whole, head)
        except Taken:
            first = await self.broker.last("RAW", subjects.raw(mail.mail_id, 0, 0))
            earlier = trace_of(first.data) if mail.trace and first else b""
            if trace or not earlier:
                raise
            return await self._stored(mail, data, earlier)
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
        log.warning("mail.refused", source=self.source.name, mail=mail.mail_id, reason=reason)
        return await self._append(event)

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

    async def _append(self, event: MailReceived | MailRefused) -> bool:
        """Store the one event there is of a mail; whether RECEIVED has the mail now."""
        message = self._message(event)
        try:
            await self.broker.publish(message.subject, message.data, expect=message.expect)
        except Conflict:
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

    def _span(self, mail: Arrival, data: bytes) -> AbstractContextManager[object]:
        source, uid = self.source.name, mail.origin.uid
        return self.telemetry.root(
            mail.mail_id, "ingest.receive", source=source, uid=uid, size=len(data)
        )


def _only_chunk(id_: str, data: bytes, head: int) -> RawRef:
    digest = hashlib.sha256(data).hexdigest()
    return RawRef(mail_id=id_, chunks=1, size=len(data), sha256=digest, head=head)
