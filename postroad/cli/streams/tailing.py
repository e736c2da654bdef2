"""The latest messages of some streams in order of time, and what comes, as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import select
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from postroad.cli.mails import newest
from postroad.cli.streams.choosing import Choice
from postroad.cli.streams.naming import Place
from postroad.runtime.broker import Broker
from postroad.runtime.stored import Stored

LOOK_SECONDS = 1.0  # between two looks whether anybody reads us still
Found = tuple[str, Stored]  # a stream, and a message of it


async def ends(broker: Broker, choice: Choice) -> dict[Place, int]:
    """The last sequence of each place as it is now."""
    lasts = [await broker.last(each.stream, each.filter) for each in choice.places]
    found = zip(choice.places, lasts, strict=True)
    return {place: last.seq if last is not None else 0 for place, last in found}


async def latest(broker: Broker, choice: Choice, most: int) -> list[Found]:
    """The latest messages that are asked for, at most so many, the oldest first."""
    found: list[Found] = []
    for place in choice.places:
        some = await newest(broker, place.stream, place.filter, most, choice.takes)
        found += [(place.stream, stored) for stored in some]
    return sorted(found, key=_when)[-most:]


async def since(
    broker: Broker,
    choice: Choice,
    upto: dict[Place, int],
    *,
    start: datetime | None,
    seq: int,
) -> AsyncIterator[Found]:
    """What is asked for from a time or sequence on, up to a sequence of each place, in order of
    time."""
    readers = [_read(broker, choice, each, upto[each], start, seq) for each in choice.places]
    heads: dict[int, Found] = {}
    for at, reader in enumerate(readers):
        with contextlib.suppress(StopAsyncIteration):
            heads[at] = await anext(reader)
    while heads:
        at = min(heads, key=lambda at: _when(heads[at]))
        yield heads.pop(at)
        with contextlib.suppress(StopAsyncIteration):
            heads[at] = await anext(readers[at])


async def coming(broker: Broker, choice: Choice, behind: dict[Place, int]) -> AsyncIterator[Found]:
    """What is stored behind these sequences, for ever. Raises BrokenPipeError once nobody reads
    what we print."""
    queue: asyncio.Queue[Found] = asyncio.Queue(maxsize=1000)

    async def follow(place: Place) -> None:
        async for batch in broker.follow(place.stream, place.filter, behind[place] + 1):
            for stored in batch:
                if choice.takes(stored):
                    await queue.put((place.stream, stored))

    following = [asyncio.create_task(follow(place)) for place in choice.places]
    try:
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    found = await queue.get()
            except TimeoutError:
                read_by_somebody()
                await _alive(following)
            else:
                yield found
    finally:
        for task in following:
            task.cancel()


async def _alive(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Raises what ended one of these."""
    for task in tasks:
        if task.done():
            await task


def read_by_somebody() -> None:
    """Raises BrokenPipeError where whoever read our output has gone."""
    poll = select.poll()
    with contextlib.suppress(OSError, ValueError):
        poll.register(sys.stdout.fileno(), 0)
    if any(event & select.POLLERR for _, event in poll.poll(0)):
        raise BrokenPipeError


async def _read(
    broker: Broker, choice: Choice, place: Place, upto: int, start: datetime | None, seq: int
) -> AsyncIterator[Found]:
    when = f"{start.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}" if start else ""
    async for stored in broker.scan(place.stream, place.filter, seq, start_time=when):
        if stored.seq > upto:
            return
        if choice.takes(stored):
            yield place.stream, stored


def _when(found: Found) -> tuple[datetime, int]:
    stored = found[1]
    return stored.time, stored.seq
