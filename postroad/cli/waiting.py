"""Who waits for a copy, and for what: by what is scheduled, by what lies in the queue, and by what
the sender says of its relays."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import datetime

from postroad.cli.evidence import Wait
from postroad.cli.waits import Sender
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.later import Scheduled
from postroad.runtime.rollcall import rollcall
from postroad.runtime.stored import Stored
from schemas import subjects
from schemas.codec import UnknownEvent
from schemas.road import ChunkQueued

Waiting = tuple[ChunkQueued, str, datetime | None]  # why, and when it is due


async def chunks_that_wait(
    broker: Broker, config: Config, mail: str, person: str = ""
) -> AsyncIterator[Waiting]:
    """The chunks of a mail that are scheduled, then those queued beside, each once; with `person`
    only what names them. Some may be done with: the ledger says."""
    given = {}
    for durable in (subjects.SENDER_NOW, subjects.SENDER_BULK):
        info = await broker.api(f"CONSUMER.INFO.{durable.stream}.{durable.name}")
        given[durable.filters[0].split(".")[2]] = info["delivered"]["stream_seq"]
    sender = Sender.of(config, await rollcall(broker, ["sender"]), given)
    scheduled = set()
    naming = person.encode()
    async for stored in broker.scan("SEND", subjects.retry("*", mail, "*")):
        for chunk in _chunks(stored, naming):
            scheduled.add(_name(chunk))
            found = Scheduled.of(stored.headers)
            yield chunk, sender.scheduled(found), found.due
    queued = {}  # a chunk that waited is stored again when it is due
    async for stored in broker.scan("SEND", f"mail.send.*.*.{mail}.*"):
        for chunk in _chunks(stored, naming):
            if _name(chunk) not in scheduled:
                queued[_name(chunk)] = chunk, stored.subject.split(".")[2], stored.seq
    for chunk, lane, seq in queued.values():
        yield chunk, sender.why(chunk, lane, seq), None


async def waits_of(broker: Broker, config: Config, mail: str, person: str) -> tuple[Wait, ...]:
    """What the copies of one person wait for: on each list the chunk that was scheduled, or else
    the one queued last."""
    found: dict[str, tuple[bool, Wait]] = {}
    async for chunk, why, due in chunks_that_wait(broker, config, mail, person):
        if person in chunk.people and not found.get(chunk.list, (False,))[0]:
            wait = Wait(list=chunk.list, chunk=chunk.chunk, why=why, due=due)
            found[chunk.list] = due is not None, wait
    return tuple(wait for _, wait in found.values())


def _name(chunk: ChunkQueued) -> tuple[str, str]:
    return chunk.list, chunk.chunk


def _chunks(stored: Stored, naming: bytes) -> Iterator[ChunkQueued]:
    if naming in stored.data:
        with contextlib.suppress(UnknownEvent):
            yield from (e for e in stored.envelope().events if isinstance(e, ChunkQueued))
