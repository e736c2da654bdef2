"""Takes the mail of one selected folder onto the road.

Always in this order: RAW, RECEIVED, flag (move, delete), checkpoint. Whatever a crash leaves half
done is therefore above the checkpoint and met again; a mail already in RECEIVED is then only
flagged. Nothing needs to be mended on start-up. A mail that turns up late, below the checkpoint,
is found by looking back.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta

import msgspec
import structlog

from postroad.mail.identity import mail_id
from postroad.runtime.clock import now
from postroad.runtime.config import Source
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import PostroadError, Retry
from postroad.runtime.service import Context
from postroad.runtime.stored import Stored
from schemas import subjects
from schemas.codec import UnknownEvent
from schemas.envelope import Event
from schemas.road import Origin
from services.ingest.arrival import Arrival
from services.ingest.decider import (
    FIRST_MAILS,
    LARGE,
    RANGE_MAILS,
    Checkpoint,
    Known,
    Verdict,
    advance,
    contact,
    holds,
    judge,
    lasting,
    missing,
    resolve,
    steps,
)
from services.ingest.imap import Mailbox
from services.ingest.publisher import STREAM, Publisher
from services.ingest.syntax import Row
from services.ingest.trouble import MailboxError, Refused

log = structlog.get_logger()
LISTED = 100  # mails looked at in one listing
SOON_SECONDS = 10.0  # after UIDs were found missing we look back once; replicas catch up by then
LOOK_BACK_SECONDS = 120.0  # between two looks after that


class Intake:
    """One session with a folder. `failures` counts by UID how often a mail failed, and outlives
    the session."""

    checkpoint: Checkpoint  # how far this session looked
    known: Known

    def __init__(
        self, context: Context, source: Source, mailbox: Mailbox, failures: Counter[int]
    ) -> None:
        self.source = source
        self.broker = context.broker
        self.stopping = context.stopping
        self.mailbox = mailbox
        self.failures = failures
        self.publisher = Publisher(context, source)
        self._stale_after = timedelta(seconds=context.config.retention.known_seconds)
        self.refusal: Refused | None = None  # why `unfinished` are published but not flagged
        self._unfinished: list[Row] = []
        self._fetched: dict[int, tuple[int, int, int]] = {}  # by UID, as in Arrival
        self._suspects: list[Verdict] = []  # they failed before
        self._stored: Checkpoint | None = None
        self._old: int | None = None  # the highest UID that an earlier session may have met
        self._look_back_at = 0.0
        self._largest = source.max_bytes

    @property
    def trouble(self) -> MailboxError | None:
        """What is wrong although mail goes on."""
        if self.mailbox.read_only and self.refusal is None:
            what = f'folder "{self.source.folder}" is read-only, so mail is taken and stays unread'
            return MailboxError(self.source, what, "give the user the right to change the folder")
        return self.refusal

    @property
    def patience(self) -> float:
        """Seconds after which to drain again, news or not."""
        due = self._look_back_at - _ticks() if self.checkpoint.missing else self.source.poll_seconds
        return max(0.0, min(self.source.poll_seconds, due))

    async def begin(self) -> None:
        """Find out where to begin, and store it before anything else.

        Raises MailboxError, BrokerUnavailable; UnknownEvent where RECEIVED is from a newer
        release.
        """
        key = subjects.checkpoint(self.source.name)
        stored = await self.broker.last("KV_CHECKPOINTS", key)
        last = _checkpoint(stored.data) if stored and stored.data else None
        selected = self.mailbox.selected
        if last is not None and holds(last, selected):
            self.checkpoint = self._stored = last
        else:
            since, there = now(), await self.mailbox.search(1)
            self.checkpoint = contact(last, selected, there, self.source.start, since)
            await self._store(self.checkpoint)
        self.known = Known(selected.folder, selected.uidvalidity)
        if self.checkpoint.rescan_below:
            everything = subjects.received(self.source.name, ">")
            async for message in self.broker.scan(STREAM, everything):
                self.known.learn(_events(message))

    async def drain(self) -> None:
        """Take everything there is that was not taken yet, or as much until stopping.

        Raises MailboxError where the connection fails, BrokerUnavailable. A server that refuses
        to flag does not stop the mail: see `refusal`.
        """
        uids = await self._search()
        for start in range(0, len(uids), LISTED):
            rows = await self.mailbox.listing(uids[start : start + LISTED])
            await self._recall(rows)
            sound: list[Verdict] = []
            for verdict in map(self._judge, rows):
                suspect = verdict.fetched and self.failures[verdict.row.uid]
                (self._suspects if suspect else sound).append(verdict)
            if not await self._take_all(steps(sound, RANGE_MAILS if start else FIRST_MAILS)):
                return
        # they may end the connection, so they come last, and the worst of them at the end
        self._suspects.sort(key=lambda verdict: self.failures[verdict.row.uid])
        while self._suspects:
            if not await self._take_all([self._suspects[:1]]):
                return
            del self._suspects[0]
        if self._unfinished:
            await self._finish([])
        await self._pass([])

    async def _search(self) -> list[int]:
        """The UIDs that were not looked at yet: above the checkpoint, and now and then those that
        were missing below it; at once where mail was announced and there is none above."""
        announced = self.mailbox.news.is_set()
        uids = await self.mailbox.search(self.checkpoint.uid + 1)
        absent = missing(self.checkpoint)
        due = _ticks() >= self._look_back_at
        if due:
            self._look_back_at = _ticks() + LOOK_BACK_SECONDS
        if absent and (due or (announced and not uids)):
            found = await self.mailbox.search(min(absent))
            uids = [uid for uid in found if uid > self.checkpoint.uid or uid in absent]
        if self._old is None:
            self._old = max(uids, default=self.checkpoint.uid)
        return uids

    async def _recall(self, rows: Sequence[Row]) -> None:
        """Learn which mails an earlier session published; those that are newer than this one
        it cannot have."""
        before = [row for row in rows if self._old is None or row.uid <= self._old]
        names = [subjects.received(self.source.name, self._arrival(row).mail_id) for row in before]
        for message in (await self.broker.last_many(STREAM, names) if names else {}).values():
            self.known.learn(_events(message))

    def _judge(self, row: Row) -> Verdict:
        return judge(
            self.checkpoint,
            row,
            self.known,
            largest=self._largest,
            failures=self.failures[row.uid],
            now=now(),
            stale_after=self._stale_after,
        )

    async def _take_all(self, steps: Iterable[Sequence[Verdict]]) -> bool:
        """Take one step after the other; False where we are stopping before the last. While the
        mails of one are published those of the next are fetched, unless they are large."""
        step: Sequence[Verdict] = ()
        data: dict[int, bytes] = {}
        for following in (*steps, ()):
            ahead = not any(verdict.row.size > LARGE for verdict in (*step, *following))
            done, fetched = await asyncio.gather(
                self._publish(step, data),
                self._fetch(following if ahead else ()),
                return_exceptions=True,
            )
            if isinstance(done, BaseException):
                raise done
            await self._pass_on(step, data, done)
            if isinstance(fetched, BaseException):
                raise fetched
            step, data = following, fetched  # one large mail is in memory at a time
            if not ahead:
                data = await self._fetch(following)
            if step and self.stopping.is_set():
                return False
        return True

    async def _publish(self, step: Sequence[Verdict], data: dict[int, bytes]) -> list[Row]:
        """Put what was fetched on the road; the mails that are there now."""
        verdicts = [
            resolve(verdict, data.get(verdict.row.uid), self.known, largest=self._largest)
            for verdict in step
        ]
        done = [verdict.row for verdict in verdicts if verdict.action == "finish"]
        for verdict in verdicts:
            if verdict.action == "refuse" and verdict.reason:
                await self.publisher.refuse(self._arrival(verdict.row), verdict.reason)
        taken = [verdict.row for verdict in verdicts if verdict.action == "take"]
        outcomes = await self.publisher.receive(
            [(self._arrival(row, self._fetched.get(row.uid)), data[row.uid]) for row in taken]
        )
        return done + self._published(taken, outcomes)

    async def _pass_on(
        self, step: Sequence[Verdict], data: dict[int, bytes], done: Sequence[Row]
    ) -> None:
        """The mails of a step are on the road, or need not be: flag them, and pass them."""
        if not step:
            return
        for verdict in step:
            self.failures.pop(verdict.row.uid, None)
            self._fetched.pop(verdict.row.uid, None)
        await self._finish(done)
        crashpoint("ingest.after_flag")
        # what is gone may only be out of sight: it is not passed, but missing
        await self._pass([v.row.uid for v in step if v.row.uid in data or not v.fetched])

    def _published(
        self, rows: Sequence[Row], outcomes: Sequence[bool | BaseException]
    ) -> list[Row]:
        """The mails that are on the road. Raises what kept one from it."""
        errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for row, outcome in zip(rows, outcomes, strict=True):
            # a fault of ours must not keep back other mail: next time this one comes last
            if isinstance(outcome, Exception) and not isinstance(outcome, PostroadError | Retry):
                self.failures[row.uid] += 1
        if errors:
            raise errors[0]
        return [row for row, published in zip(rows, outcomes, strict=True) if published]

    def _arrival(self, row: Row, fetched: tuple[int, int, int] | None = None) -> Arrival:
        place = self.mailbox.selected
        arrived = int(row.arrived.timestamp() * 1000) if row.arrived else 0
        return Arrival(
            mail_id=mail_id(
                self.source.name, place.folder, place.uidvalidity, row.uid, arrived, row.size
            ),
            origin=Origin(
                source=self.source.name,
                folder=place.folder,
                uidvalidity=place.uidvalidity,
                uid=row.uid,
                arrived=row.arrived,
            ),
            size=row.size,
            fetched=fetched,
        )

    async def _fetch(self, step: Sequence[Verdict]) -> dict[int, bytes]:
        """The bytes of a step's mails by UID; of those that are gone there are none."""
        rows = [verdict.row for verdict in step if verdict.fetched]
        if not rows:
            return {}
        uids = [row.uid for row in rows]
        began = time.time_ns()
        try:
            if rows[0].size > LARGE:
                found = await self.mailbox.fetch_large(uids[0], self._largest)
            else:
                found = await self.mailbox.fetch(uids)
            withheld = [uid for uid in uids if uid not in found]
            if withheld and await self.mailbox.listing(withheld):
                raise MailboxError(self.source, "the server does not hand out a mail it lists")
        except MailboxError as error:
            if not error.passing:
                self.failures.update(uids)
            raise
        ended = time.time_ns()
        self._fetched.update((uid, (began, ended, len(found))) for uid in found)
        return found

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
                case _ if not self.mailbox.read_only:
                    await self.mailbox.set_seen([r.uid for r in self._unfinished if not r.seen])
        except Refused as refusal:
            self.refusal = refusal
        else:
            self._unfinished.clear()
            self.refusal = None

    async def _pass(self, uids: Collection[int]) -> None:
        """The mails under these UIDs are looked at; the checkpoint is stored where all are done."""
        checkpoint = advance(self.checkpoint, uids)
        if missing(checkpoint) - missing(self.checkpoint):
            self._look_back_at = min(self._look_back_at, _ticks() + SOON_SECONDS)
        self.checkpoint = checkpoint
        if self._unfinished or self._suspects:
            return
        whole = lasting(self.checkpoint)
        if whole is not None and whole != self._stored:
            self.checkpoint = whole
            await self._store(whole)
            crashpoint("ingest.after_checkpoint")

    async def _store(self, checkpoint: Checkpoint) -> None:
        key = subjects.checkpoint(self.source.name)
        await self.broker.publish(key, msgspec.json.encode(checkpoint))
        self._stored = checkpoint


def _ticks() -> float:
    return asyncio.get_running_loop().time()


def _checkpoint(data: bytes) -> Checkpoint | None:
    """What KV holds; None where a source of another kind wrote it."""
    try:
        return msgspec.json.decode(data, type=Checkpoint)
    except msgspec.DecodeError:
        return None


def _events(message: Stored) -> tuple[Event, ...]:
    """Its events; none where it is of a newer release, or nobody's."""
    try:
        return message.envelope().events
    except UnknownEvent:
        log.warning("received.event_unknown", seq=message.seq)
        return ()
