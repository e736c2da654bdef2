"""A stream from some sequence on, for ever: how projections are fed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from postroad.runtime import wire
from postroad.runtime.clock import new_id
from postroad.runtime.errors import WentBack
from postroad.runtime.pull import Pull, ephemeral
from postroad.runtime.stored import NONE, Stored
from schemas import subjects

if TYPE_CHECKING:
    from nats.aio.subscription import Subscription

    from postroad.runtime.broker import Broker

IDLE_SECONDS = 60.0  # then the server forgets a reader
_EPOCH = datetime.fromtimestamp(0, UTC)
PAGE = 1000  # messages that are handed over at once, where so many are there


async def follow(
    broker: Broker, stream: str, subject_filter: str, start_seq: int = 1, *, limit: int = 8000
) -> AsyncIterator[list[Stored]]:
    """Every message from `start_seq` on, for ever, in batches as they come, in order, each once;
    200,000 a second. Headers are left as they came.

    An ephemeral consumer without acknowledgements: the reader's own checkpoint is the position.
    Raises WentBack where a broker that was away comes back without what it gave out.
    """
    position, at = start_seq - 1, 0
    pull: _Follower | None = None

    async def create() -> None:
        assert pull is not None
        name = f"follow-{new_id()}"
        pull.queued()
        pull.consumer, pull.own = name, name.encode()
        start = {"deliver_policy": "by_start_sequence", "opt_start_seq": position + 1}
        # the server compares no subjects then, which takes it a tenth of all
        wanted = ">" if subjects.is_whole(stream, subject_filter) else subject_filter
        await ephemeral(broker, stream, name, wanted, IDLE_SECONDS, start)

    async def again() -> None:
        if not await _is_there(broker, stream, position, at):
            raise WentBack(stream, position)
        await create()

    pull = _Follower(broker, stream, "", limit=limit, lost=again)
    await create()
    async with pull:
        while True:
            arrived = await pull.next()
            pull.done(len(arrived))
            batch = [stored for stored in arrived if stored.seq > position]
            if batch:
                position, at = batch[-1].seq, batch[-1].ns
                yield batch


async def _is_there(broker: Broker, stream: str, seq: int, at: int) -> bool:
    """Whether the message with this sequence is still the one that was stored then (in ns; 0 where
    that is not known), or was deleted."""
    found = await broker.get(stream, seq) if seq and at else None
    if found is not None:
        return (found.time - _EPOCH) // timedelta(microseconds=1) == at // 1000
    info = await broker.api(f"STREAM.INFO.{stream}")
    return bool(seq <= info["state"]["last_seq"])


class _Follower(Pull[Stored]):
    """What the consumer of the moment delivers, read from the wire; `own` is its name there, `_sid`
    that of the subscription."""

    own = _sid = b""

    async def _subscribe(self, inbox: str) -> Subscription:
        nc = self.broker.nc
        subscription = await nc.subscribe(inbox, cb=wire.nothing)
        self._sid = wire.sid(subscription)
        self._untap = wire.tap(nc, subscription, self._take, self._take_run)
        return subscription

    async def __aexit__(self, *reason: object) -> None:
        self._untap()
        await super().__aexit__(*reason)

    def _take(self, subject: bytes, reply: bytes, head: bytes, data: bytes) -> None:
        # $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<ns>.<pending>
        parts = reply.rsplit(b".", 5)
        if len(parts) != 6:
            self._told(wire.fields(head))
        elif parts[0].endswith(self.own):
            seq, ns, pending = int(parts[2]), int(parts[4]), int(parts[5])
            self._queue.append(Stored(subject.decode(), seq, data, NONE, "", ns, pending, head))
            self._came(1, pending)

    def _take_run(self, data: bytes, at: int) -> int:
        """The same of whole messages with headers, which is what lies there by the thousand: in one
        loop, in which each look-up and call would be felt."""
        own, sid, find, add = self.own, self._sid, data.find, self._queue.append
        took, pending, size = 0, 1, len(data)
        with contextlib.suppress(ValueError):  # the tap says what is wrong
            while (line := find(b"\r\n", at)) >= 0:
                words = data[at:line].split(b" ")
                if len(words) != 6 or words[2] != sid:
                    break
                _, subject, _, reply, head, whole = words
                top = line + 2
                body, end = top + int(head), top + int(whole)
                parts = reply.rsplit(b".", 5)
                if len(parts) != 6 or end + 2 > size:
                    break
                name, _, nth, _, time, left = parts
                if name.endswith(own):
                    seq, ns, pending = int(nth), int(time), int(left)
                    text, of = data[body:end], data[top:body]
                    add(Stored(subject.decode(), seq, text, NONE, "", ns, pending, of))
                    took += 1
                at = end + 2
        if took:
            self._came(took, pending)
        return at

    def _came(self, count: int, pending: int) -> None:
        self._asked = max(0, self._asked - count)
        # whoever waits is not woken for each few of many: what is pending comes by itself
        if not pending or not self._asked or len(self._queue) >= PAGE:
            self._wake.set()
