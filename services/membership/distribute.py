"""Routed mail to chunks: whom it goes to, queued once, whatever dies on the way.

What is stored decides, never what this process remembers: chunk 0 of a post exists in one lane
at most, every batch of chunks moves the progress event on from the one it began at, and the
`done` event outlives them all.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from typing import Literal

import msgspec
import structlog

from postroad.runtime import instruments
from postroad.runtime.broker import Broker, Message
from postroad.runtime.clock import envelope
from postroad.runtime.config import Config
from postroad.runtime.consume import Delivery
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict, Reject, Retry
from postroad.runtime.metrics import Metrics
from postroad.runtime.telemetry import about, current, span
from schemas import codec, subjects
from schemas.envelope import Event
from schemas.road import (
    ChunkQueued,
    Copy,
    FanoutDone,
    FanoutProgressed,
    OwnerMailRouted,
    PostRouted,
)
from services.membership import fanout
from services.membership.directory import Listed
from services.membership.fanout import Position, Routed
from services.membership.mirror import Recipient
from services.membership.owners import Owners, of_domain
from services.membership.people import People
from services.membership.roster import Roster

ACTOR = "service:membership"
ALSO = "x"  # the chunk of those who are no members; no name of a retry or a part begins so
PATIENCE = 50  # tries, 0.2 s apart, to learn an address before its owner is left out

log = structlog.get_logger()
Lane = Literal["now", "bulk"]


class Distributor:
    """Handles `mail.routed.post.>` and `mail.routed.owner.>`."""

    def __init__(
        self,
        broker: Broker,
        config: Config,
        roster: Roster,
        owners: Owners,
        people: People,
        metrics: Metrics,
    ) -> None:
        self.broker = broker
        self.metrics = metrics
        self.config = config
        self.roster = roster
        self.owners = owners
        self.people = people

    async def handle(self, delivery: Delivery) -> None:
        """Fan one mail out. Done before: nothing happens."""
        for event in delivery.envelope().events:
            if not isinstance(event, PostRouted | OwnerMailRouted):
                raise Reject(f"a {type(event).__name__} has no audience")
            if not delivery.subject.endswith(f".{event.list}.{event.mail_id}"):
                raise Reject("the mail is of another subject")
            done = subjects.routed("done", event.list, event.mail_id)
            here = current()
            here.attributes["postroad.list"] = event.list
            if await self.broker.last("ROUTED", done) is None:
                began = time.monotonic()
                end = await _Fanout(self, event, delivery).run()
                self.metrics.record(instruments.FANOUTS, value=time.monotonic() - began)
                self.metrics.add(instruments.QUEUED, by=end.count)
                here.attributes["postroad.audience"] = end.count
                here.attributes["postroad.chunks"] = end.chunk
            else:
                here.done_before()

    def copy(self, routed: Routed, listed: Listed, post: int) -> Copy:
        """How each copy of this mail looks."""
        address, form = listed.state.address, listed.state.settings.sub_address
        web = self.config.site.base_url if self.config.web is not None else ""
        return fanout.look(routed, address, form, listed.state.name, post, web)


class _Fanout:
    """One mail on its way into chunks."""

    def __init__(self, distributor: Distributor, routed: Routed, delivery: Delivery) -> None:
        self.distributor = distributor
        self.broker = distributor.broker
        self.routed = routed
        self.delivery = delivery
        self.mail_id = routed.mail_id
        self.list = routed.list
        self.copy: Copy
        self.listed: Listed

    async def run(self) -> Position:
        """Queue what is not queued yet, then say that it is done; where it ended."""
        feed = self.distributor.roster.feed
        await feed.reached(self.routed.as_of, lists=self.routed.settings)
        listed = feed.lists.get(self.list)
        if isinstance(self.routed, OwnerMailRouted) and self.list == subjects.NO_LIST:
            listed = of_domain(self.routed.domain)
        if listed is None:
            raise Retry(f"the list {self.list} is not known yet")
        self.listed = listed
        self.copy = self.distributor.copy(self.routed, listed, self.delivery.seq)
        try:
            end = await self._queue(Position())
            if end.count == 0:  # nobody now; an earlier try may have found somebody
                end = await self._resume() or end
        except Conflict:
            # an earlier try, or another instance: go on from what it stored
            resumed = await self._resume()
            if resumed is None:
                raise Retry("what is queued of this mail cannot be seen yet", 0.5) from None
            end = resumed
        end = await self._queue_also(end)
        crashpoint("membership.before_done")
        await self._finish(end)
        return end

    async def _resume(self) -> Position | None:
        """Go on from what is stored; None where nothing is."""
        last = await self.broker.last("SEND", subjects.fanout(self.list, self.mail_id))
        if last is None:
            return await self._queued_whole()
        (event,) = last.envelope().events
        assert isinstance(event, FanoutProgressed)
        try:
            return await self._queue(Position.of(event, last.seq))
        except Conflict:
            raise Retry("another instance is queueing this mail", 0.5) from None

    async def _queued_whole(self) -> Position | None:
        """Where a mail of a single chunk stands, read from that chunk."""
        first = subjects.send_any_lane(self.list, self.mail_id, "0")
        stored = await self.broker.last("SEND", first)
        if stored is None:
            return None
        (event,) = stored.envelope().events
        assert isinstance(event, ChunkQueued)
        return Position(chunk=1, count=len(event.people))

    async def _queue(self, at: Position) -> Position:
        """Queue everybody after `at`. Raises Conflict where more is stored than `at` knows."""
        size = fanout.chunk_size(self.copy)
        batch = fanout.FIRST_BATCH if at.seq == 0 else fanout.BATCH
        waiting: list[Recipient] = []
        async with aclosing(self._audience(at.person)) as pages:
            async for page in pages:
                waiting += page
                # one more than a batch: the last chunk must be known to be the last
                while len(waiting) > batch * size:
                    at = await self._store(waiting[: batch * size], at, end=False)
                    del waiting[: batch * size]
                    batch = fanout.BATCH
        if waiting and at.seq == 0 and len(waiting) <= size:
            return await self._store_single(waiting)
        if waiting:
            at = await self._store(waiting, at, end=True)
        return at

    async def _queue_also(self, end: Position) -> Position:
        """Queue one copy for all whom the list's settings name besides its members (`also_to`):
        without a token, and none of them a member. Queued before, it stays as it is."""
        settings = self.listed.state.settings
        if not settings.also_to or isinstance(self.routed, OwnerMailRouted):
            return end
        chunk = ChunkQueued(
            mail_id=self.mail_id,
            list=self.list,
            chunk=ALSO,
            first=end.count,
            people=tuple([await self._known(address) for address in settings.also_to]),
            addresses=settings.also_to,
            copy=msgspec.structs.replace(self.copy, personal=False, to_members=False),
        )
        message = self._chunk_message(chunk, "bulk")
        with suppress(Conflict):
            await self.broker.publish(message.subject, message.data, expect=0)
        count = end.count + len(chunk.people)
        return msgspec.structs.replace(end, chunk=end.chunk + 1, count=count)

    async def _known(self, address: str) -> str:
        """The id that stands for an address of `also_to` in the ledger."""
        evidence = f"settings: also_to of {self.listed.state.address}"
        person = await self.distributor.people.obtain(
            address, "", evidence=evidence, correlation=self.mail_id
        )
        return person.id

    async def _audience(self, after: str) -> AsyncGenerator[list[Recipient]]:
        if isinstance(self.routed, OwnerMailRouted):
            owners = await self.distributor.owners.of(self.listed, correlation=self.mail_id)
            if not owners:
                log.warning("fanout.no_owner", list=self.list, mail_id=self.mail_id)
            yield [owner for owner in owners if owner.person > after]
        else:
            seq, without = self.routed.as_of.membership, self.routed.without
            audience = self.distributor.roster.audience(
                self.list, seq, after=after, patient=self.delivery.attempt < PATIENCE
            )
            async with aclosing(audience) as pages:
                async for page in pages:
                    yield [one for one in page if one.person not in without] if without else page

    async def _store_single(self, recipients: Sequence[Recipient]) -> Position:
        """One plain publish: half the time of a batch, and small posts are most posts."""
        (chunk,) = fanout.chunks(self.routed, recipients, Position(), self.copy, end=True)
        message = self._chunk_message(chunk, "now")
        await self.broker.publish(
            message.subject,
            message.data,
            expect=message.expect,
            expect_filter=message.expect_filter,
        )
        crashpoint("membership.after_chunk")
        return Position().after(recipients, len(recipients))

    async def _store(self, recipients: Sequence[Recipient], at: Position, *, end: bool) -> Position:
        """One atomic batch: chunks, and the progress event that takes it on from `at`."""
        lane: Lane = "now" if isinstance(self.routed, OwnerMailRouted) else "bulk"
        after = at.after(recipients, fanout.chunk_size(self.copy))
        queued = fanout.chunks(self.routed, recipients, at, self.copy, end=end)
        progress = Message(
            subjects.fanout(self.list, self.mail_id),
            self._encode(fanout.progressed(self.mail_id, self.list, after)),
            expect=at.seq,
        )
        with span("membership.queue", kind="producer") as queueing:
            messages = [*(self._chunk_message(chunk, lane) for chunk in queued), progress]
            queueing.attributes = about("SEND", "send", count=len(messages))
            seq = await self.broker.publish_batch(messages)
        crashpoint("membership.after_batch")
        return msgspec.structs.replace(after, seq=seq)

    def _chunk_message(self, chunk: ChunkQueued, lane: Lane) -> Message:
        # whether a post fits one chunk may change between two tries, so the first chunk of all
        # is looked for in both lanes
        anywhere = subjects.send_any_lane(chunk.list, chunk.mail_id, chunk.chunk)
        return Message(
            subjects.send(lane, chunk.list, chunk.mail_id, chunk.chunk),
            self._encode(chunk),
            expect=0,
            expect_filter=anywhere if chunk.chunk == "0" else "",
        )

    async def _finish(self, end: Position) -> None:
        done = FanoutDone(
            mail_id=self.mail_id,
            list=self.list,
            audience=end.count,
            chunks=end.chunk,
            as_of=self.routed.as_of,
        )
        subject = subjects.routed("done", done.list, done.mail_id)
        try:
            await self.broker.publish(subject, self._encode(done), expect=0)
        except Conflict:
            log.debug("fanout.done_before", list=done.list, mail_id=done.mail_id)

    def _encode(self, event: Event) -> bytes:
        return codec.encode(
            envelope(
                [event],
                correlation=self.delivery.envelope().correlation,
                causation=self.delivery.envelope().id,
                actor=ACTOR,
            )
        )
