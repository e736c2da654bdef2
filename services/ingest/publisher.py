"""Puts mail into RAW and RECEIVED: what ingest writes, and under which names."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Container, Sequence

import structlog

from postroad.mail.headers import scan
from postroad.mail.identity import mail_id
from postroad.runtime.blobs import CHUNK, put_raw
from postroad.runtime.broker import Message
from postroad.runtime.clock import envelope
from postroad.runtime.config import Source
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict, Reject
from postroad.runtime.service import Context
from schemas import codec, subjects
from schemas.mail import RawRef
from schemas.road import MailReceived, MailRefused, Origin
from services.ingest.decider import Refusal, Selected
from services.ingest.syntax import Row

STREAM = "RECEIVED"
IN_FLIGHT = 32  # mails being published: together 5,000 messages/s against 2,500/s one by one
TOGETHER = 12  # mails from which one atomic batch pays: it costs a fixed 2 ms

log = structlog.get_logger()


class Publisher:
    """The way of one folder's mail into the broker. Counts what was `received` and `refused`."""

    def __init__(self, context: Context, source: Source, selected: Selected) -> None:
        self.source = source
        self.selected = selected
        self.broker = context.broker
        self.telemetry = context.telemetry
        self.received = 0
        self.refused = 0
        self._room = asyncio.Semaphore(IN_FLIGHT)

    async def store_together(self, mails: Sequence[tuple[Row, bytes]]) -> frozenset[str]:
        """Put the bytes of many small mails into RAW at once; the ids of those that are there.

        None where it does not pay, or where some are there from before: `receive` stores what
        is missing.
        """
        small = {self.mail_id(row): data for row, data in mails if len(data) <= CHUNK}
        if len(small) < TOGETHER:
            return frozenset()
        messages = [Message(subjects.raw(id_, 0, 0), data, expect=0) for id_, data in small.items()]
        try:
            await self.broker.publish_batch(messages)
        except Conflict:
            return frozenset()
        return frozenset(small)

    async def receive(self, row: Row, data: bytes, stored: Container[str] = ()) -> bool:
        """Publish a mail; whether it is on the road. `stored` are ids that RAW has already."""
        id_ = self.mail_id(row)
        source = self.source.name
        async with self._room:
            with self.telemetry.root(
                id_, "ingest.receive", source=source, uid=row.uid, size=len(data)
            ):
                facts, head = scan(data, self.source.recipient_headers)
                try:
                    raw = (
                        _only_chunk(id_, data, head)
                        if id_ in stored
                        else await put_raw(self.broker, id_, 0, data, head)
                    )
                except Reject as reject:
                    return await self.refuse(row, "unreadable", reject.reason)
                crashpoint("ingest.after_raw")
                event = MailReceived(mail_id=id_, origin=self._origin(row), raw=raw, facts=facts)
                published = await self._append(id_, event)
                crashpoint("ingest.after_received")
                return published

    async def refuse(self, row: Row, reason: Refusal, detail: str = "") -> bool:
        """Record that a mail is left where it is; whether it is on the road nevertheless."""
        id_ = self.mail_id(row)
        event = MailRefused(
            mail_id=id_, origin=self._origin(row), size=row.size, reason=reason, detail=detail
        )
        log.warning("mail.refused", source=self.source.name, mail=id_, reason=reason)
        return await self._append(id_, event)

    async def _append(self, id_: str, event: MailReceived | MailRefused) -> bool:
        """Store the one event there is of a mail; whether RECEIVED has the mail now."""
        subject = subjects.received(self.source.name, id_)
        message = envelope([event], correlation=id_, actor="service:ingest")
        try:
            await self.broker.publish(subject, codec.encode(message), expect=0)
        except Conflict:
            found = await self.broker.last(STREAM, subject)
            events = found.envelope().events if found else ()
            return any(isinstance(earlier, MailReceived) for earlier in events)
        if isinstance(event, MailReceived):
            self.received += 1
            return True
        self.refused += 1
        return False

    def mail_id(self, row: Row) -> str:
        """The id of a mail: the same whenever it is met."""
        arrived = int(row.arrived.timestamp() * 1000) if row.arrived else 0
        folder, uidvalidity = self.selected.folder, self.selected.uidvalidity
        return mail_id(self.source.name, folder, uidvalidity, row.uid, arrived, row.size)

    def _origin(self, row: Row) -> Origin:
        return Origin(
            source=self.source.name,
            folder=self.selected.folder,
            uidvalidity=self.selected.uidvalidity,
            uid=row.uid,
            arrived=row.arrived,
        )


def _only_chunk(id_: str, data: bytes, head: int) -> RawRef:
    digest = hashlib.sha256(data).hexdigest()
    return RawRef(mail_id=id_, chunks=1, size=len(data), sha256=digest, head=head)
