"""Takes the mail of one selected folder onto the road.

Always in this order: RAW, RECEIVED, flag (move, delete), checkpoint. Whatever a crash leaves half
done is therefore above the checkpoint and met again; a mail already in RECEIVED is then only
flagged. Nothing needs to be mended on start-up.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence

import msgspec
import structlog

from postroad.mail.headers import scan
from postroad.mail.identity import mail_id
from postroad.runtime.blobs import put_raw
from postroad.runtime.clock import envelope, now
from postroad.runtime.config import Source
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict, Reject
from postroad.runtime.service import Context
from schemas import codec, subjects
from schemas.road import MailReceived, MailRefused, Origin
from services.ingest.decider import (
    LARGE,
    Checkpoint,
    Known,
    Refusal,
    Verdict,
    advance,
    contact,
    judge,
    steps,
)
from services.ingest.imap import Mailbox
from services.ingest.syntax import Row
from services.ingest.trouble import MailboxError, Refused

LISTED = 200  # mails looked at in one listing; aioimaplib's time grows with the square of it
IN_FLIGHT = 32  # mails being published; together 5,000 messages/s against 2,500/s one by one
STREAM = "RECEIVED"

log = structlog.get_logger()


class Intake:
    """One session with a folder. `failures` counts fetches that failed, by UID, and outlives it."""

    checkpoint: Checkpoint
    known: Known

    def __init__(
        self, context: Context, source: Source, mailbox: Mailbox, failures: Counter[int]
    ) -> None:
        self.source = source
        self.broker = context.broker
        self.telemetry = context.telemetry
        self.stopping = context.stopping
        self.mailbox = mailbox
        self.failures = failures
        self.received = 0
        self.refused = 0
        self.refusal: Refused | None = None  # why `unfinished` are published but not flagged
        self._unfinished: list[Row] = []
        self._suspects: list[Verdict] = []  # fetching them failed before
        self._cursor = 0  # every UID up to here was looked at in this session
        self._room = asyncio.Semaphore(IN_FLIGHT)

    async def begin(self) -> None:
        """Find out where to begin, and store it before anything else.

        Raises BrokerUnavailable; UnknownEvent where RECEIVED is from a newer release.
        """
        key = subjects.checkpoint(self.source.name)
        stored = await self.broker.last("KV_CHECKPOINTS", key)
        last = msgspec.json.decode(stored.data, type=Checkpoint) if stored and stored.data else None
        selected = self.mailbox.selected
        self.checkpoint = contact(last, selected, self.source.start, now())
        if self.checkpoint != last:
            await self._store()
        self._cursor = self.checkpoint.uid
        self.known = Known(selected.folder, selected.uidvalidity)
        if self.checkpoint.rescan_below:
            everything = subjects.received(self.source.name, ">")
            async for message in self.broker.scan(STREAM, everything):
                self.known.learn(message.envelope().events)

    async def drain(self) -> None:
        """Take everything there is above the checkpoint, or as much until stopping.

        Raises MailboxError where the connection fails, BrokerUnavailable. A server that refuses
        to flag does not stop the mail: see `refusal`.
        """
        uids = await self.mailbox.search(self._cursor + 1)
        for start in range(0, len(uids), LISTED):
            rows = await self.mailbox.listing(uids[start : start + LISTED])
            await self._recall(rows)
            sound: list[Verdict] = []
            for verdict in map(self._judge, rows):
                suspect = verdict.fetched and self.failures[verdict.row.uid]
                (self._suspects if suspect else sound).append(verdict)
            for step in steps(sound):
                if self.stopping.is_set():
                    return
                await self._take(step)
            await self._pass(uids[min(start + LISTED, len(uids)) - 1])
        # they may end the connection, so they come last, and the worst of them at the end
        self._suspects.sort(key=lambda verdict: self.failures[verdict.row.uid])
        while self._suspects:
            await self._take(self._suspects[:1])
            del self._suspects[0]
        await self._pass(self.mailbox.selected.uidnext - 1)
        if self._unfinished:
            await self._finish([])

    async def _recall(self, rows: Sequence[Row]) -> None:
        """Learn which mails an earlier session published; those that are newer than this one
        it cannot have."""
        before = [row for row in rows if row.uid < self.mailbox.selected.uidnext]
        names = [subjects.received(self.source.name, self._mail_id(row)) for row in before]
        for message in (await self.broker.last_many(STREAM, names) if names else {}).values():
            self.known.learn(message.envelope().events)

    def _judge(self, row: Row) -> Verdict:
        return judge(
            self.checkpoint,
            row,
            self.known,
            largest=self.source.max_bytes,
            failures=self.failures[row.uid],
            now=now(),
        )

    async def _take(self, step: Sequence[Verdict]) -> None:
        data = await self._fetch([verdict.row for verdict in step if verdict.fetched])
        tasks = [self._process(verdict, data.get(verdict.row.uid)) for verdict in step]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        done = zip(step, outcomes, strict=True)
        await self._finish([verdict.row for verdict, published in done if published])
        crashpoint("ingest.after_flag")
        await self._pass(step[-1].row.uid)

    async def _fetch(self, rows: Sequence[Row]) -> dict[int, bytes]:
        """The bytes of mails by UID; of those that are gone there are none."""
        if not rows:
            return {}
        uids = [row.uid for row in rows]
        try:
            if rows[0].size > LARGE:
                found = await self.mailbox.fetch_large(uids[0], self.source.max_bytes)
            else:
                found = await self.mailbox.fetch(uids)
            missing = [uid for uid in uids if uid not in found]
            if missing and await self.mailbox.listing(missing):
                raise MailboxError(self.source, "the server does not hand out a mail it lists")
        except MailboxError:
            self.failures.update(uids)
            raise
        for uid in uids:
            self.failures.pop(uid, None)
        return found

    # --- publishing ---------------------------------------------------------------------------

    async def _process(self, verdict: Verdict, data: bytes | None) -> bool:
        """Do as the verdict says; whether the mail is on the road and to be flagged."""
        row = verdict.row
        match verdict.action:
            case "finish":
                return True
            case "refuse" if verdict.reason:
                return await self._refuse(row, verdict.reason)
            case "compare" | "spot" if data is not None:
                # claims are made before anything is awaited, so in order of UID
                exactly = verdict.action == "spot"
                digest = hashlib.sha256(data).hexdigest()
                if self.known.claim(digest, row.arrived, exactly=exactly):
                    return True
                if exactly:
                    return False
                if verdict.reason is None:
                    return await self._publish(row, data)
                return await self._refuse(row, verdict.reason)
            case "take" if data is not None:
                return await self._publish(row, data)
        return False

    async def _publish(self, row: Row, data: bytes) -> bool:
        if len(data) > self.source.max_bytes:  # the server's size was wrong
            return await self._refuse(row, "too_large")
        id_ = self._mail_id(row)
        source = self.source.name
        async with self._room:
            with self.telemetry.root(
                id_, "ingest.receive", source=source, uid=row.uid, size=len(data)
            ):
                try:
                    header, head = scan(data, self.source.recipient_headers)
                    raw = await put_raw(self.broker, id_, 0, data, head)
                except Reject as reject:
                    return await self._refuse(row, "unreadable", reject.reason)
                crashpoint("ingest.after_raw")
                event = MailReceived(mail_id=id_, origin=self._origin(row), raw=raw, facts=header)
                published = await self._append(id_, event)
                crashpoint("ingest.after_received")
                return published

    async def _refuse(self, row: Row, reason: Refusal, detail: str = "") -> bool:
        id_ = self._mail_id(row)
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
            stored = await self.broker.last(STREAM, subject)
            events = stored.envelope().events if stored else ()
            return any(isinstance(found, MailReceived) for found in events)
        if isinstance(event, MailReceived):
            self.received += 1
            return True
        self.refused += 1
        return False

    # --- afterwards ---------------------------------------------------------------------------

    async def _finish(self, rows: Sequence[Row]) -> None:
        """Flag, move or delete what is published, and what could not be before."""
        self._unfinished.extend(rows)
        uids = [row.uid for row in self._unfinished]
        try:
            match self.source.after.partition(":"):
                case ("delete", _, _):
                    await self.mailbox.delete(uids)
                case ("move", _, folder):
                    await self.mailbox.move(uids, folder)
                case _:
                    await self.mailbox.set_seen([r.uid for r in self._unfinished if not r.seen])
        except Refused as refusal:
            self.refusal = refusal
        else:
            self._unfinished.clear()
            self.refusal = None

    async def _pass(self, uid: int) -> None:
        """Every UID up to this one is looked at; the checkpoint follows where all are done."""
        self._cursor = max(self._cursor, uid)
        if self._unfinished or self._suspects:
            return
        checkpoint = advance(self.checkpoint, self._cursor)
        if checkpoint != self.checkpoint:
            self.checkpoint = checkpoint
            await self._store()
            crashpoint("ingest.after_checkpoint")

    async def _store(self) -> None:
        key = subjects.checkpoint(self.source.name)
        await self.broker.publish(key, msgspec.json.encode(self.checkpoint))

    def _mail_id(self, row: Row) -> str:
        arrived = int(row.arrived.timestamp() * 1000) if row.arrived else 0
        selected = self.mailbox.selected
        return mail_id(
            self.source.name, selected.folder, selected.uidvalidity, row.uid, arrived, row.size
        )

    def _origin(self, row: Row) -> Origin:
        selected = self.mailbox.selected
        return Origin(
            source=self.source.name,
            folder=selected.folder,
            uidvalidity=selected.uidvalidity,
            uid=row.uid,
            arrived=row.arrived,
        )
