"""The sender's I/O: chunks in, to the right relay, and what is deferred back to the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from postroad.mail.tokens import TokenMaker
from postroad.runtime.clock import now
from postroad.runtime.config import duration
from postroad.runtime.consume import Delivery
from postroad.runtime.errors import BrokerUnavailable, Busy, Full, Reject, Retry
from postroad.runtime.oauth import Tokens
from postroad.runtime.service import Context, Service
from postroad.runtime.telemetry import MOST_LINKS, PARENT, current
from schemas import subjects
from schemas.road import ChunkQueued, WindowRecorded
from services.sender import ledger, quota
from services.sender.chunk import Run
from services.sender.departed import Departed
from services.sender.journal import Journal, entry_name
from services.sender.lanes import Lanes
from services.sender.ledger import Position
from services.sender.limited import LINE
from services.sender.posts import Posts
from services.sender.progress import Chunk, Progress, position
from services.sender.requeue import TRIED, Queue, Requeue
from services.sender.route import Route
from services.sender.routes import Routes, Way, apart, domain_of, lower
from services.sender.standby import ASKED, look_after

NOW_AT_ONCE = 32  # small chunks in hand, most of them waiting for the broker rather than a lane
log = structlog.get_logger()
WAITING = 4  # chunks in hand beside those on the lanes of the only relay
PATIENCE = 4  # chunks that wait for a relay, by its connections, where there are several
LASTING = 60.0  # seconds; what a longer limit lets through is counted from the ledger
GIVEN_BACK = 3  # times that a chunk is given back before it is scheduled anew
FAR_OFF = 5.0  # seconds that make it worth while
LONGEST_WAIT: dict[Queue, float] = {"now": 300.0, "bulk": 3600.0}  # s: a limit may be raised
ELSEWHERE = 0.1  # seconds until a chunk goes to the relay that steps in
REMEMBERED = 10_000  # chunks that were given back
IN_HAND = 1.0  # seconds until it is seen whether the same chunk is done
PASSED_OVER = 5.0  # seconds to the first retry of who was refused while others were taken


class Sender:
    """What the handlers share."""

    def __init__(self, context: Context) -> None:
        config = context.config
        self.context = context
        self.broker = context.broker
        self.relays = {relay.name: relay for relay in config.relay}
        tokens = Tokens(config)
        self.several = len(config.relay) > 1
        self.lanes = {
            relay.name: Lanes(
                relay, tokens, patience=PATIENCE * relay.connections if self.several else None
            )
            for relay in config.relay
        }
        ways = [Way(relay.name, lower(relay.domains), relay.weight) for relay in config.relay]
        self.routes = Routes(ways, {d.name: d.relay for d in config.domain if d.relay})
        self.period = timedelta(seconds=config.site.retry_seconds)
        self.departed = Departed(context.broker)
        lanes = sum(relay.connections for relay in config.relay)
        self.journal = Journal(config.site.state_dir / "sender", lanes)
        if self.journal.fault:
            log.warning("journal.off", reason=self.journal.fault)
            folder = str(config.site.state_dir / "sender")
            context.health.report("journal", folder, ok=False, detail=self.journal.fault.lower())
        self.posts = Posts(context.broker, TokenMaker(config.site_key()), config.domain)
        self.requeue = Requeue(context.broker)
        self._in_hand: set[str] = set()  # subjects of chunks
        self._given_back: dict[str, int] = {}  # chunks by subject, and which attempt that was

    async def now(self, delivery: Delivery) -> None:
        """Handle a small chunk."""
        await self._handle(delivery, "now")

    async def bulk(self, delivery: Delivery) -> None:
        """Handle a chunk of a large fan-out, or a retry."""
        await self._handle(delivery, "bulk")

    async def count_sent(self) -> None:
        """Learn from the ledger what was sent where a limit holds for longer than a minute."""
        quotas = {
            (name, limited.name if limited else ""): each
            for name, lanes in self.lanes.items()
            for limited in (None, *lanes.limited)
            if (each := _lasting(limited.quotas if limited else lanes.quotas))
        }
        if not quotas:
            return
        names = {name for name, _ in quotas}
        since = (now() - quota.DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
        ledgers = [
            (stored.time, event)
            async for stored in self.broker.scan("DELIVERY", "delivery.>", start_time=since)
            for event in stored.envelope().events
            if isinstance(event, WindowRecorded) and event.relay in names
        ]
        for sent in sorted(quota.counted(ledgers), key=lambda each: each.at):
            for destination in {"", sent.destination}:
                for limit in quotas.get((sent.relay, destination), ()):
                    limit.add(sent.count, sent.at)

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

    async def _handle(self, delivery: Delivery, queue: Queue) -> None:
        if delivery.subject in self._in_hand:  # it was stored twice: as a chunk that waited may be
            raise Retry("the chunk is in hand", IN_HAND)
        self._in_hand.add(delivery.subject)
        try:
            await self._deal(delivery, queue)
        except Retry:
            if len(self._given_back) >= REMEMBERED:  # most of them somebody else has dealt with
                self._given_back.clear()
            self._given_back[delivery.subject] = delivery.attempt
            raise
        finally:
            self._in_hand.discard(delivery.subject)

    async def _deal(self, delivery: Delivery, queue: Queue) -> None:
        message = delivery.envelope()
        event = message.events[0] if message.events else None
        if not isinstance(event, ChunkQueued):
            raise Reject("not a chunk")
        if delivery.subject != subjects.send(queue, event.list, event.mail_id, event.chunk):
            raise Reject("the chunk is of another subject")
        subject = subjects.delivery(event.list, event.mail_id, event.chunk)
        waited = TRIED in delivery.headers
        tried = delivery.attempt > 1 or waited
        ours = self._given_back.pop(delivery.subject, 0) + 1 == delivery.attempt
        elsewhere = waited if ours else tried
        chunk = Chunk(event, message.id, message.ts, subject, tried, elsewhere)
        at = await position(self.broker, subject)
        _tell(event, done=at.finished)
        domains = [domain_of(address) for address in event.addresses]
        relays = self._relays(event, domains)
        if not at.seq and len(set(relays)) > 1 and not self._begun(chunk):
            await self.requeue.close(chunk, at.seq)
            at = Position(finished=True, split=True)
        if at.split:
            await self.requeue.split(
                chunk, queue, self._groups(range(len(domains)), domains, relays)
            )
            return
        deferred = at.deferred
        if not at.finished:
            try:
                deferred = await self._send(delivery, chunk, at, domains, relays, queue)
            except BrokerUnavailable:
                raise
            except Retry as retry:
                if self._relays(event, domains) != relays:  # another takes it at once
                    raise Retry(retry.reason, ELSEWHERE) from None
                # each that is only given back takes a place among the few thousand that the
                # broker hands out: where others may go on meanwhile, they must not run out
                far = retry.left if isinstance(retry, Full) else retry.delay
                if not self._stands_in_the_way(retry, far, delivery):
                    raise
                wait = min(far, LONGEST_WAIT[queue])
                why = relays[at.done], retry.reason
                await self.requeue.postpone(chunk, queue, delivery.data, wait, *why)
                return
        await self._owed(chunk, deferred, domains, relays)

    async def _send(
        self,
        delivery: Delivery,
        chunk: Chunk,
        at: Position,
        domains: Sequence[str],
        relays: Sequence[str],
        queue: Queue,
    ) -> tuple[int, ...]:
        """Send what is not sent yet; who is deferred. Raises Retry.

        While answers are late the chunk stays in hand, whatever keeps the rest of it waiting: its
        ledger must learn of them.
        """
        progress = Progress(self.broker, self.journal, chunk, at)
        progress.recall()
        while progress.done < progress.size:
            try:
                await self._go_on(delivery, progress, domains, relays, queue)
            except Retry as retry:
                if not progress.late:
                    raise
                if self.context.stopping.is_set():
                    await progress.settle()
                    raise
                await progress.listen(retry.delay)
                relays = self._relays(chunk.event, domains)
        await progress.settle()
        return tuple(progress.deferred)

    async def _go_on(
        self,
        delivery: Delivery,
        progress: Progress,
        domains: Sequence[str],
        relays: Sequence[str],
        queue: Queue,
    ) -> None:
        """Send on one lane, as far as it goes. Raises Retry."""
        event = progress.chunk.event
        relay = self.relays[relays[progress.done]]
        lanes = self.lanes[relay.name]
        lanes.check()
        route = Route(lanes, relay.name, domains, relays, progress.done)
        if (rest := route.rests()) and not ledger.given_up(event, now(), self.period):
            raise Busy("its domain refuses mail for now", rest)
        post = await self.posts.get(event, relay)
        turn = min(0.2 * 2.0 ** min(delivery.attempt, 7), FAR_OFF)
        async with lanes.lend(
            urgent=queue == "now", sick=route.sick, limited=route.limited, turn=turn
        ) as lane:
            if route.limited and self.context.stopping.is_set():
                raise Busy("we are stopping", 1.0)  # who waited in line behind others
            run = Run(self.context, delivery, progress, relay, route, lane, post, self.departed)
            with self.journal.lend() as lines:
                progress.write_to(lines)
                try:
                    await run.run()
                finally:
                    progress.write_to(None)

    def _begun(self, chunk: Chunk) -> bool:
        """Whether somebody who died was at this chunk, of which the ledger does not know yet."""
        name = entry_name(chunk.ledger, chunk.id, "")
        return self.journal.recall(name, look=chunk.tried) is not None

    async def _entries(self, chunk: Chunk) -> tuple[list[WindowRecorded], str]:
        """The whole ledger of a chunk, and links to the windows that deferred somebody."""
        entries, windows = [], []
        async for stored in self.broker.scan("DELIVERY", chunk.ledger):
            for entry in stored.envelope().events:
                if isinstance(entry, WindowRecorded):
                    entries.append(entry)
                    if ledger.defers(entry) and (window := stored.headers.get(PARENT)):
                        windows.append(f"retry={window}")
        return entries, ",".join(windows[:MOST_LINKS])

    def _relays(self, chunk: ChunkQueued, domains: Sequence[str]) -> Sequence[str]:
        """The relay of each recipient."""
        key = f"{chunk.mail_id}.{chunk.chunk}"
        of = domain_of(chunk.copy.list_address)
        return self.routes.of(of, domains, key, lambda name: self.lanes[name].works)

    def _groups(
        self, indices: Sequence[int], domains: Sequence[str], relays: Sequence[str]
    ) -> list[list[int]]:
        """These recipients by relay and by the domains that are apart there."""
        keys = [
            f"{relay} {self.lanes[relay].destinations.key(domain)}"
            for relay, domain in zip(relays, domains, strict=True)
        ]
        return apart(keys, indices)

    def _stands_in_the_way(self, retry: Retry, seconds: float, delivery: Delivery) -> bool:
        if seconds < FAR_OFF:
            return False
        others = self.several or isinstance(retry, Busy)
        return others and (delivery.attempt > GIVEN_BACK or seconds > LASTING)

    async def _owed(
        self,
        chunk: Chunk,
        deferred: Sequence[int],
        domains: Sequence[str],
        relays: Sequence[str],
    ) -> None:
        """Have those come again who are deferred: whose domain has to wait in chunks of their
        own. All that decides stands in the ledger, so a successor does the same."""
        if not deferred:
            return
        entries, links = await self._entries(chunk)
        if len(set(domains)) > 1:
            waits = ledger.of_their_domain(entries) & set(deferred)
            groups = self._groups(sorted(waits), domains, relays)
            await self.requeue.split(chunk, "bulk", groups, links)
            deferred = [index for index in deferred if index not in waits]
        if deferred:
            first = duration(self.relays[relays[deferred[0]]].retry_after)
            if ledger.passed_over(entries):
                first = min(first, PASSED_OVER)
            await self.requeue.retry(chunk, deferred, first, links)


def _tell(chunk: ChunkQueued, *, done: bool) -> None:
    """Say on the current span which chunk this is, and whether it was `done` before."""
    span = current()
    span.attributes["postroad.list"] = chunk.list
    span.attributes["postroad.chunk"] = chunk.chunk
    span.attributes["postroad.recipients"] = len(chunk.people)
    if done:
        span.done_before()


def _lasting(quotas: Sequence[quota.Quota]) -> list[quota.Quota]:
    """Those that a restart must not forget."""
    return [each for each in quotas if each.lasts(LASTING)]


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
        context.health.report("relay", relay.name, ok=True, detail="not used yet", untried=True)
    await sender.count_sent()
    await sender.tidy()
    relays = context.config.relay
    lanes = sum(relay.connections for relay in relays)
    lines = LINE * sum(len(relay.destination) for relay in relays)
    at_once = lanes + (PATIENCE * lanes if sender.several else 0) + WAITING + lines
    context.ready()
    asked = {n: each for n, each in sender.lanes.items() if sender.relays[n].kind in ASKED}
    standby = asyncio.create_task(look_after(asked, context.health))
    try:
        await asyncio.gather(
            context.consume(
                subjects.SENDER_NOW,
                sender.now,
                concurrency=NOW_AT_ONCE * len(relays) + lines,
                span="sender.chunk",
            ),
            context.consume(
                subjects.SENDER_BULK, sender.bulk, concurrency=at_once, span="sender.chunk"
            ),
        )
    finally:
        standby.cancel()
        await sender.close()


SERVICE = Service(name="sender", about="chunks to SMTP, a ledger ahead of every window", run=run)
