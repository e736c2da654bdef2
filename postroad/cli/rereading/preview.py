"""What consumers would be given again from a sequence on, counted, and what would come of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from postroad.cli.rereading.keys import Keys
from postroad.cli.streams.naming import parts
from postroad.runtime.broker import Broker
from postroad.runtime.clock import now
from postroad.runtime.parked import Dropped
from postroad.runtime.stored import Stored
from schemas.subjects import Durable

PAGE = 500
NAMED = 20  # messages that would really act


class Acting(msgspec.Struct, frozen=True, kw_only=True):
    """A message without a recorded outcome."""

    seq: int
    kind: str
    list: str
    mail: str


class Preview(msgspec.Struct, kw_only=True):
    """What one consumer would be given again: `messages` from `start` up to where it stands
    (`upto`), by kind and list; `done` of them have their outcome recorded, `acts` have none and
    would be dealt with, `looks` would be looked at again. `passed_over` are messages not dealt with
    yet that lie before `start`."""

    consumer: str
    stream: str
    start: int
    upto: int
    messages: int = 0
    kinds: dict[str, int] = {}
    lists: dict[str, int] = {}
    first: str = ""
    last: str = ""
    done: int = 0
    dropped: int = 0
    acts: int = 0
    looks: int = 0
    acting: list[Acting] = []
    waiting: int = 0
    passed_over: int = 0


async def preview(
    broker: Broker, durable: Durable, start: int, told: Callable[..., None]
) -> Preview:
    """Look, and change nothing; `told` is called with how many messages were looked at. Raises
    ApiError, BrokerUnavailable."""
    info = await broker.api(f"CONSUMER.INFO.{durable.stream}.{durable.name}")
    floor, upto = info["ack_floor"]["stream_seq"], info["delivered"]["stream_seq"]
    found = Preview(
        consumer=durable.name,
        stream=durable.stream,
        start=start,
        upto=upto,
        waiting=info["num_pending"] + info["num_ack_pending"],
    )
    kinds, lists = Counter[str](), Counter[str]()
    keys, dropped = Keys(broker, now()), Dropped(broker, durable.name)
    times = []
    async for page in _pages(broker, durable, start, upto):
        fates = await keys.fates(durable.name, page)
        for stored, fate in zip(page, fates, strict=True):
            kind, list_, mail = parts(stored.subject)
            kinds[kind] += 1
            lists[list_] += bool(list_)
            times.append(stored.ts)
            if fate != "done" and await dropped.has(durable.stream, stored.seq):
                found.dropped += 1
            elif fate == "looks":
                found.looks += 1
            elif fate == "acts":
                found.acts += 1
                if len(found.acting) < NAMED:
                    acting = Acting(seq=stored.seq, kind=kind, list=list_, mail=mail)
                    found.acting.append(acting)
            else:
                found.done += 1
        found.messages += len(page)
        times = [min(times), max(times)]
        told(found.messages)
    found.kinds, found.lists = dict(kinds.most_common()), dict((+lists).most_common())
    found.first, found.last = (times[0][:19], times[-1][:19]) if times else ("", "")
    if start > floor + 1:
        found.passed_over = sum(
            [len(page) async for page in _pages(broker, durable, floor + 1, start - 1)]
        )
    return found


async def _pages(
    broker: Broker, durable: Durable, start: int, upto: int
) -> AsyncIterator[Sequence[Stored]]:
    """What the consumer takes of these sequences, both included."""
    for subject in durable.filters:
        page: list[Stored] = []
        async for stored in broker.scan(durable.stream, subject, start):
            if stored.seq > upto:
                break
            page.append(stored)
            if len(page) == PAGE:
                yield page
                page = []
        if page:
            yield page
