"""The sender's I/O: chunks in, to the right relay, and what is deferred back to the broker."""

from __future__ import annotations

import asyncio
import contextlib
import random
from datetime import timedelta
from operator import itemgetter
from typing import Literal

import structlog

from postroad.mail.tokens import TokenMaker
from postroad.runtime.clock import envelope, now
from postroad.runtime.config import Relay, duration
from postroad.runtime.consume import Delivery
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict, Reject
from postroad.runtime.oauth import Tokens
from postroad.runtime.service import Context, Service
from schemas import codec, subjects
from schemas.road import ChunkQueued, WindowRecorded
from services.sender import ledger, quota
from services.sender.chunk import WORKER, Chunk, Run
from services.sender.departed import Departed
from services.sender.journal import Journal
from services.sender.lanes import Lanes
from services.sender.ledger import Position
from services.sender.posts import Posts
from services.sender.replies import retry_after
from services.sender.window import Withhold

NOW_AT_ONCE = 32  # small chunks in hand, most of them waiting for the broker rather than a lane
log = structlog.get_logger()
PASSED_OVER = 5.0  # seconds to the first retry of who was refused while others were taken


class Sender:
    """What the handlers share."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.broker = context.broker
        self.relays = {relay.name: relay for relay in context.config.relay}
        tokens = Tokens(context.config)
        self.lanes = {relay.name: Lanes(relay, tokens) for relay in context.config.relay}
        self.relay_of = {d.name: d.relay for d in context.config.domain if d.relay}
        self.departed = Departed(context.broker)
        lanes = sum(relay.connections for relay in context.config.relay)
        self.journal = Journal(context.config.site.state_dir / "sender", lanes)
        if self.journal.fault:
            log.warning("journal.off", reason=self.journal.fault)
        maker = TokenMaker(context.config.site_key())
        self.posts = Posts(context.broker, maker, context.config.domain)

    async def now(self, delivery: Delivery) -> None:
        """Handle a small chunk."""
        await self._handle(delivery, urgent=True)

    async def bulk(self, delivery: Delivery) -> None:
        """Handle a chunk of a large fan-out, or a retry."""
        await self._handle(delivery, urgent=False)

    async def count_sent(self) -> None:
        """Learn from the ledger what relays with a daily limit were given within a day."""
        limited = {name for name, relay in self.relays.items() if relay.daily}
        if not limited:
            return
        since = (now() - quota.DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
        ledgers = [
            (stored.time, event)
            async for stored in self.broker.scan("DELIVERY", "delivery.>", start_time=since)
            for event in stored.envelope().events
            if isinstance(event, WindowRecorded) and event.relay in limited
        ]
        for name, at, count in sorted(quota.counted(ledgers), key=itemgetter(1)):
            self.lanes[name].quota.add(count, at)

    async def tidy(self) -> None:
        """Forget what the dead wrote down of chunks that have gone on since."""
        for name in self.journal.load():
            subject, _, entry = name.split(" ")
            last = await self.broker.last("DELIVERY", subject)
            if entry != (last.envelope().id if last else ""):
                self.journal.forget(name)

    async def close(self) -> None:
        """Take leave of every relay."""
        for lanes in self.lanes.values():
            await lanes.close()
        self.journal.close()

    async def _handle(self, delivery: Delivery, *, urgent: bool) -> None:
        message = delivery.envelope()
        event = message.events[0] if message.events else None
        if not isinstance(event, ChunkQueued):
            raise Reject("not a chunk")
        queue: Literal["now", "bulk"] = "now" if urgent else "bulk"
        if delivery.subject != subjects.send(queue, event.list, event.mail_id, event.chunk):
            raise Reject("the chunk is of another subject")
        subject = subjects.delivery(event.list, event.mail_id, event.chunk)
        chunk = Chunk(event, message.id, message.ts, subject)
        at = await self._position(subject)
        deferred = at.deferred
        if not at.finished:
            relay = self._relay(event)
            lanes = self.lanes[relay.name]
            lanes.check()
            post = await self.posts.get(event, relay)
            async with lanes.lend(urgent=urgent) as lane:
                run = Run(
                    *(self.context, delivery, chunk, relay, lanes, lane, post, at),
                    departed=self.departed,
                    journal=self.journal,
                    withhold=self._withhold(event),
                )
                deferred = await run.run()
        await self._schedule(chunk, deferred)

    async def _position(self, subject: str) -> Position:
        last = await self.broker.last("DELIVERY", subject)
        if last is None:
            return Position()
        entry = last.envelope().events[-1]
        if not isinstance(entry, WindowRecorded):
            raise Reject("not a ledger")
        return ledger.position(entry, last.seq, last.envelope().id)

    def _withhold(self, _chunk: ChunkQueued) -> Withhold:
        """Who of a chunk gets no copy now, asked before each window."""
        return lambda _index: None

    def _relay(self, chunk: ChunkQueued) -> Relay:
        name = self.relay_of.get(chunk.copy.list_address.rpartition("@")[2])
        return self.relays[name] if name else next(iter(self.relays.values()))

    async def _schedule(self, chunk: Chunk, deferred: tuple[int, ...]) -> None:
        """Have the broker bring the deferred recipients back. Should a schedule fire twice, the
        second finds the ledger of its chunk finished."""
        smaller = ledger.retry_chunk(chunk.event, deferred, chunk.queued)
        if smaller is None:
            return
        crashpoint("sender.before_schedule")
        names = (smaller.list, smaller.mail_id, smaller.chunk)
        if await self.broker.last("DELIVERY", subjects.delivery(*names)) is not None:
            return
        first = duration(self._relay(chunk.event).retry_after)
        entries = [
            entry
            async for stored in self.broker.scan("DELIVERY", chunk.ledger)
            for entry in stored.envelope().events
            if isinstance(entry, WindowRecorded)
        ]
        if ledger.passed_over(entries):
            first = min(first, PASSED_OVER)
        jitter = random.random()  # noqa: S311  spreads load, keeps no secret
        due = now() + timedelta(seconds=retry_after(smaller.attempt, jitter, first))
        message = envelope([smaller], correlation=smaller.mail_id, causation=chunk.id, actor=WORKER)
        with contextlib.suppress(Conflict):  # scheduled before
            await self.broker.publish(
                subjects.retry(*names),
                codec.encode(message),
                expect=0,
                headers={
                    "Nats-Schedule": f"@at {due.strftime('%Y-%m-%dT%H:%M:%SZ')}",
                    "Nats-Schedule-Target": subjects.send("bulk", *names),
                },
            )


async def run(context: Context) -> None:
    """Send until told to stop."""
    if not context.config.relay:
        told = "there is no [[relay]] in the settings, so every copy waits; add one and restart"
        context.health.report("relay", "none", ok=False, detail=told)
        context.ready()
        await context.stopping.wait()
        return
    sender = Sender(context)
    for relay in context.config.relay:
        context.health.report("relay", relay.name, ok=True, detail="not used yet")
    await sender.count_sent()
    await sender.tidy()
    lanes = sum(relay.connections for relay in context.config.relay)
    context.ready()
    try:
        await asyncio.gather(
            context.consume(
                subjects.SENDER_NOW, sender.now, concurrency=NOW_AT_ONCE, span="sender.chunk"
            ),
            context.consume(
                subjects.SENDER_BULK, sender.bulk, concurrency=lanes + 2, span="sender.chunk"
            ),
        )
    finally:
        await sender.close()


SERVICE = Service(name="sender", about="chunks to SMTP, a ledger ahead of every window", run=run)
