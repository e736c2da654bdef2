"""What is owed for later, given back to the broker: split chunks, retries, chunks that wait.

Whatever dies on the way, each is stored once: parts expect that there are none yet, a retry that
its chunk was neither queued nor sent yet, and it and a chunk that waits that they are not scheduled
yet. Should a schedule fire twice, the second finds the ledger of its chunk finished.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Literal

from postroad.runtime.broker import Broker, Message
from postroad.runtime.clock import envelope, now
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict, Superseded
from postroad.runtime.telemetry import LINKS
from schemas import codec, subjects, waiting
from schemas.road import ChunkQueued, WindowRecorded
from services.sender import parts
from services.sender.progress import WORKER, Chunk, position
from services.sender.replies import retry_after
from services.sender.routes import domain_of

Queue = Literal["now", "bulk"]
SPREAD = 30.0  # seconds over which chunks that waited for the same come again, at most
TRIED = "Postroad-Tried"  # header of a chunk that waited


class Requeue:
    """Publishes chunks that come later."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def close(self, chunk: Chunk, seq: int) -> None:
        """Say in the ledger of a chunk that it is not sent itself: its parts follow."""
        event = chunk.event
        entry = WindowRecorded(
            mail_id=event.mail_id,
            list=event.list,
            chunk=event.chunk,
            worker=WORKER,
            finished=True,
            split=True,
        )
        crashpoint("sender.before_split")
        try:
            await self._broker.publish(chunk.ledger, self._encode(chunk, entry), expect=seq)
        except Conflict:
            raise Superseded(chunk.ledger) from None
        crashpoint("sender.after_split")

    async def split(
        self, chunk: Chunk, queue: Queue, groups: Sequence[Sequence[int]], links: str = ""
    ) -> None:
        """Queue a chunk for each of these groups of its people; nothing where that was done.
        `links` are to the windows that led to it (see `telemetry.LINKS`)."""
        if not groups:
            return
        event = chunk.event
        names = event.list, event.mail_id, f"{event.chunk}s0"
        if await self._broker.last("SEND", subjects.send_any_lane(*names)) is not None:
            return
        messages = [
            Message(
                subjects.send(queue, part.list, part.mail_id, part.chunk),
                self._encode(chunk, part),
                expect=0,
                headers={LINKS: links} if links else {},
            )
            for part in parts.split(event, groups, chunk.queued)
        ]
        with contextlib.suppress(Conflict):  # all of them are queued
            await self._broker.publish_batch(messages)
        crashpoint("sender.after_parts")

    async def retry(
        self, chunk: Chunk, deferred: Sequence[int], first: float, links: str = ""
    ) -> None:
        """Schedule another try for these people, the first one after `first` seconds; `links` as
        for `split`."""
        smaller = parts.retry(chunk.event, deferred, chunk.queued)
        crashpoint("sender.before_schedule")
        names = smaller.list, smaller.mail_id, smaller.chunk
        # a schedule that has fired leaves no trace of itself but the chunk
        for stream, subject in (
            ("SEND", subjects.send_any_lane(*names)),
            ("DELIVERY", subjects.delivery(*names)),
        ):
            if await self._broker.last(stream, subject) is not None:
                return
        jitter = random.random()  # noqa: S311  spreads load, keeps no secret
        seconds = retry_after(smaller.attempt, jitter, first)
        headers = {waiting.COPIES: str(len(deferred)), waiting.WHY: "refused for now"}
        if links:
            headers[LINKS] = links
        await self._schedule(smaller, "bulk", self._encode(chunk, smaller), seconds, headers)

    async def postpone(
        self, chunk: Chunk, queue: Queue, data: bytes, seconds: float, relay: str, reason: str
    ) -> None:
        """Have a chunk, as it was stored, come again after so many seconds. Unlike one that is
        given back, it takes no place among those that the broker has handed out; that somebody may
        have been at it, which the broker counts for those, a header says. So do others for which
        relay and why it waits, for people."""
        seconds += random.random() * min(seconds / 4, SPREAD)  # noqa: S311  see above
        headers = {
            TRIED: "1",
            waiting.COPIES: str(await self._owed(chunk)),
            waiting.RELAY: relay,
            waiting.WHY: _told(reason, relay, chunk.event),
        }
        await self._schedule(chunk.event, queue, data, seconds, headers)

    async def _owed(self, chunk: Chunk) -> int:
        """How many copies of a chunk are still to be sent, by its ledger."""
        at = await position(self._broker, chunk.ledger)
        return len(chunk.event.people) - at.done - len(at.sent) + len(at.deferred)

    async def _schedule(
        self,
        event: ChunkQueued,
        queue: Queue,
        data: bytes,
        seconds: float,
        headers: Mapping[str, str],
    ) -> None:
        names = event.list, event.mail_id, event.chunk
        due = now() + timedelta(seconds=seconds)
        with contextlib.suppress(Conflict):  # scheduled before
            await self._broker.publish(
                subjects.retry(*names),
                data,
                expect=0,
                headers={
                    waiting.DUE: f"@at {due.strftime('%Y-%m-%dT%H:%M:%SZ')}",
                    "Nats-Schedule-Target": subjects.send(queue, *names),
                    **headers,  # the broker keeps them
                },
            )

    def _encode(self, chunk: Chunk, event: ChunkQueued | WindowRecorded) -> bytes:
        mail_id = chunk.event.mail_id
        return codec.encode(
            envelope([event], correlation=mail_id, causation=chunk.id, actor=WORKER)
        )


def _told(reason: str, relay: str, event: ChunkQueued) -> str:
    """Why a chunk waits, for people: of its relay, and of its domain by name; ASCII, as headers
    want it."""
    domains = {domain_of(address) for address in event.addresses}
    domain = domains.pop() if len(domains) == 1 else "its domain"
    told = reason.removeprefix(f"relay {relay}: ").replace("its domain", domain)
    return told.encode("ascii", "replace").decode()
