"""The sender's I/O: chunks in, windows out, the ledger one window ahead."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from opentelemetry.trace import SpanKind, StatusCode

from postroad.mail.tokens import TokenMaker
from postroad.runtime import blobs
from postroad.runtime.clock import envelope, now
from postroad.runtime.config import Relay, duration
from postroad.runtime.consume import Delivery
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict, Reject, Retry, SettingsError, Superseded
from postroad.runtime.service import Context, Service
from schemas import codec, subjects
from schemas.envelope import Event
from schemas.road import ChunkQueued, Outcome, WindowRecorded
from services.sender import ledger, outcomes, smtp
from services.sender.compose import Prepared, prepare
from services.sender.lanes import Lane, Lanes
from services.sender.ledger import Position
from services.sender.transaction import Transaction
from services.sender.replies import retry_after

CACHE_BYTES = 64 << 20  # of prepared posts, so that the chunks of one post share the work
NOW_AT_ONCE = 32  # small chunks in hand, most of them waiting for the broker rather than a lane


@dataclass
class _Chunk:
    """A chunk in hand."""

    event: ChunkQueued
    id: str
    queued: datetime
    subject: str  # of its ledger


class Sender:
    """Everything the handlers share."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.broker = context.broker
        self.relays = {relay.name: relay for relay in context.config.relay}
        self.lanes = {
            relay.name: Lanes(relay.connections, _connector(relay)) for relay in context.config.relay
        }
        self.by_domain = {
            domain.name: domain.relay for domain in context.config.domain if domain.relay
        }
        self.tokens = TokenMaker(context.config.site_key())
        self.worker = str(os.getpid())
        self._prepared: OrderedDict[str, Prepared] = OrderedDict()
        self._preparing: dict[str, asyncio.Task[Prepared]] = {}

    async def now(self, delivery: Delivery) -> None:
        """Handle a small chunk."""
        await self._handle(delivery, urgent=True)

    async def bulk(self, delivery: Delivery) -> None:
        """Handle a chunk of a large fan-out, or a retry."""
        await self._handle(delivery, urgent=False)

    async def close(self) -> None:
        """Take leave of every relay."""
        for lanes in self.lanes.values():
            await lanes.close()

    async def _handle(self, delivery: Delivery, *, urgent: bool) -> None:
        message = delivery.envelope()
        event = message.events[0] if message.events else None
        if not isinstance(event, ChunkQueued):
            raise Reject("not a chunk")
        subject = subjects.delivery(event.list, event.mail_id, event.chunk)
        chunk = _Chunk(event, message.id, message.ts, subject)
        last = await self.broker.last("DELIVERY", subject)
        at = ledger.position(_entry(last.envelope().events) if last else None, last.seq if last else 0)
        if at.finished:  # delivered before; only its retry may still be missing
            await self._schedule(chunk, at.deferred)
            return
        relay = self._relay(event)
        lanes = self.lanes[relay.name]
        lanes.check()
        post = await self._post(event)
        async with lanes.lend(urgent=urgent) as lane:
            lanes.check()
            deferred = await _Run(self, delivery, chunk, relay, lanes, lane, post, at).run()
        await self._schedule(chunk, deferred)

    def _relay(self, chunk: ChunkQueued) -> Relay:
        domain = chunk.copy.list_address.rpartition("@")[2]
        name = self.by_domain.get(domain)
        return self.relays[name] if name else next(iter(self.relays.values()))

    async def _post(self, chunk: ChunkQueued) -> Prepared:
        """The post ready to be copied; made once for all the chunks that are in hand."""
        ref = chunk.copy.raw
        key = f"{chunk.list}.{ref.mail_id}.{ref.part}"
        if key in self._prepared:
            self._prepared.move_to_end(key)
            return self._prepared[key]
        task = self._preparing.get(key)
        if task is None:
            task = self._preparing[key] = asyncio.create_task(self._prepare(chunk))
            task.add_done_callback(lambda _: self._preparing.pop(key, None))
        post = await asyncio.shield(task)
        self._prepared[key] = post
        while len(self._prepared) > 1 and sum(p.size for p in self._prepared.values()) > CACHE_BYTES:
            self._prepared.popitem(last=False)
        return post

    async def _prepare(self, chunk: ChunkQueued) -> Prepared:
        raw = await blobs.get_raw(self.broker, chunk.copy.raw)
        return prepare(raw, chunk.copy, chunk.mail_id, self.tokens)

    async def record(self, chunk: _Chunk, event: WindowRecorded, expect: int) -> int:
        """Append to the ledger. Raises Superseded where another worker wrote first."""
        message = envelope(
            [event],
            correlation=chunk.event.mail_id,
            causation=chunk.id,
            actor=f"service:sender/{self.worker}",
        )
        try:
            return await self.broker.publish(chunk.subject, codec.encode(message), expect=expect)
        except Conflict:
            raise Superseded(chunk.subject) from None

    async def _schedule(self, chunk: _Chunk, deferred: tuple[int, ...]) -> None:
        """Have the broker bring the deferred recipients back. A schedule that fires twice finds
        the ledger of its chunk finished."""
        smaller = ledger.retry_chunk(chunk.event, deferred, chunk.queued)
        if smaller is None:
            return
        crashpoint("sender.before_schedule")
        base = duration(self._relay(chunk.event).retry_after)
        delay = retry_after(smaller.attempt, random.random(), base)
        names = (smaller.list, smaller.mail_id, smaller.chunk)
        if await self.broker.last("DELIVERY", subjects.delivery(*names)) is not None:
            return
        message = envelope([smaller], correlation=smaller.mail_id, causation=chunk.id, actor="service:sender")
        try:
            await self.broker.publish(
                subjects.retry(*names),
                codec.encode(message),
                expect=0,
                headers={
                    "Nats-Schedule": f"@at {(now() + timedelta(seconds=delay)).strftime('%Y-%m-%dT%H:%M:%SZ')}",
                    "Nats-Schedule-Target": subjects.send("bulk", *names),
                },
            )
        except Conflict:
            pass  # scheduled before


class _Run:
    """One chunk on one lane, from where its ledger stands to its end."""

    def __init__(
        self,
        sender: Sender,
        delivery: Delivery,
        chunk: _Chunk,
        relay: Relay,
        lanes: Lanes,
        lane: Lane,
        post: Prepared,
        at: Position,
    ) -> None:
        self.sender = sender
        self.delivery = delivery
        self.chunk = chunk
        self.relay = relay
        self.lanes = lanes
        self.lane = lane
        self.post = post
        self.seq = at.seq
        self.done = at.done
        self.doubt = at.doubt
        self.deferred = list(at.deferred)
        self.giving_up = ledger.given_up(chunk.event, now())

    async def run(self) -> tuple[int, ...]:
        """Send window after window; returns who is deferred. Raises Retry on trouble with the
        relay, Superseded where the chunk is somebody else's."""
        event = self.chunk.event
        size = len(event.people)
        width = self.relay.window if event.copy.personal else self.relay.recipients_per_transaction
        single = self.done == 0 and self.seq == 0 and size <= width  # needs no intent
        outcome: Outcome | None = None
        while self.done < size:
            connection, reused = await self._open()
            if not self.delivery.fresh(self.sender.context.ack_wait):
                raise Superseded(self.chunk.subject)
            end = min(self.done + width, size)
            if not single:
                await self._record(outcome, named=True, next_end=end)
            window = await self._window(connection, end)
            outcome = window.outcome
            self.deferred.extend(f.index for f in outcome.failures if f.kind == "deferred")
            self.done = outcome.end
            self.doubt = max(self.doubt, window.doubt)
            if window.trouble:
                moved = outcome.end > outcome.start or window.doubt > outcome.end
                if moved or not single:
                    await self._record(outcome, named=not single, next_end=window.doubt)
                    single, outcome = False, None
                await self.lane.drop()
                if moved or not reused:
                    raise self._trouble(window.trouble)
        if outcome is not None:
            await self._record(outcome, named=not single, next_end=None)
        self.lanes.succeeded()
        self.sender.context.health.count("chunks")
        return tuple(self.deferred)

    async def _open(self) -> tuple[smtp.Connection, bool]:
        """The lane's connection, and whether it was used before (it may have gone stale)."""
        try:
            connection, fresh = await self.lanes.open(self.lane)
        except smtp.RelayError as error:
            raise self._trouble(str(error)) from None
        if fresh:
            self._report(ok=True)
        return connection, not fresh

    async def _window(self, connection: smtp.Connection, end: int) -> outcomes.Window:
        """Send the recipients from `done` up to `end` and say what became of them."""
        event = self.chunk.event
        start = self.done
        with self.sender.context.telemetry.span(
            "sender.window",
            kind=SpanKind.CLIENT,
            **{
                "postroad.list": event.list,
                "postroad.chunk": event.chunk,
                "postroad.window.start": start,
                "postroad.window.end": end,
                "postroad.relay": self.relay.name,
            },
        ) as span:
            began = time.monotonic()
            transactions = self._transactions(start, end)
            results = await connection.send(transactions)
            window = outcomes.judge(
                results,
                start,
                doubtful=start < self.doubt,
                ms=int((time.monotonic() - began) * 1000),
                giving_up=self.giving_up,
            )
            span.set_attribute("postroad.accepted", window.accepted)
            span.set_attribute("smtp.reply.code", window.outcome.code)
            if window.trouble:
                span.set_status(StatusCode.ERROR, "relay")
        self.sender.context.health.count("copies", window.accepted)
        return window

    def _transactions(self, start: int, end: int) -> list[Transaction]:
        event = self.chunk.event
        if not event.copy.personal:
            shared = self.post.shared()
            return [Transaction(shared[0], event.addresses[start:end], shared[1])]
        numbers = event.numbers or range(event.first, event.first + len(event.people))
        made = []
        for index in range(start, end):
            sender, pieces = self.post.personal(numbers[index], event.people[index])
            made.append(Transaction(sender, (event.addresses[index],), pieces))
        return made

    async def _record(self, outcome: Outcome | None, *, named: bool, next_end: int | None) -> None:
        """Write the next ledger entry, and wait until it is on disk."""
        event = ledger.entry(
            self.chunk.event,
            at=self.done,
            outcome=outcome,
            named=named,
            next_end=next_end,
            deferred=self.deferred,
            relay=self.relay.name,
            worker=self.sender.worker,
        )
        crashpoint("sender.before_record")
        self.seq = await self.sender.record(self.chunk, event, self.seq)
        crashpoint("sender.after_record")

    def _trouble(self, reason: str) -> Retry:
        """The relay failed: pause it, tell it, and give the chunk back."""
        seconds = self.lanes.pause()
        self._report(ok=False, detail=reason)
        return Retry(f"relay {self.relay.name}: {reason}", seconds)

    def _report(self, *, ok: bool, detail: str = "") -> None:
        self.sender.context.health.report("relay", self.relay.name, ok=ok, detail=detail)


def _entry(events: tuple[Event, ...]) -> WindowRecorded | None:
    entry = events[-1] if events else None
    return entry if isinstance(entry, WindowRecorded) else None


def _connector(relay: Relay) -> Callable[[], Awaitable[smtp.Connection]]:
    async def connect() -> smtp.Connection:
        return await smtp.connect(relay)

    return connect


async def run(context: Context) -> None:
    """Send until told to stop."""
    if not context.config.relay:
        raise SettingsError("there is no [[relay]] in the settings, so nothing can be sent; add one")
    sender = Sender(context)
    lanes = sum(relay.connections for relay in context.config.relay)
    for relay in context.config.relay:
        context.health.report("relay", relay.name, ok=True, lanes=relay.connections)
    context.ready()
    try:
        await asyncio.gather(
            context.consume(subjects.SENDER_NOW, sender.now, concurrency=NOW_AT_ONCE, span="sender.chunk"),
            context.consume(subjects.SENDER_BULK, sender.bulk, concurrency=lanes + 2, span="sender.chunk"),
        )
    finally:
        await sender.close()


SERVICE = Service(name="sender", about="sends chunks by SMTP, a ledger ahead of every window", run=run)
