"""How the roster follows its streams: in few transactions, and nobody waits longer for that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker, Message
from postroad.runtime.clock import envelope
from postroad.runtime.errors import WentBack
from postroad.runtime.health import Health
from projections.change import Change
from projections.store import Store
from schemas import codec, subjects
from schemas.people import PersonKnown
from schemas.road import AsOf
from services.membership import feed
from services.membership.feed import SCHEMA, Feed


class Watched(Store):
    """A store that keeps the positions it was taken to."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.ends = [0]

    async def apply(
        self,
        changes: Sequence[Change],
        *,
        stream: str,
        after: int,
        upto: int,
        erases: bool = False,
    ) -> None:
        """Store, and keep where it stands then."""
        await super().apply(changes, stream=stream, after=after, upto=upto, erases=erases)
        self.ends.append(upto)


def people(start: int, end: int) -> list[Message]:
    """These become known."""
    return [
        Message(
            subjects.people(f"key{n}"),
            codec.encode(
                envelope([PersonKnown(person=f"p{n}", address=f"{n}@x.org")], correlation="test")
            ),
        )
        for n in range(start, end)
    ]


@asynccontextmanager
async def feeding(broker: Broker, place: Path) -> AsyncIterator[tuple[Feed, Watched]]:
    """A roster that is fed for the length of the block."""
    store = await Watched.open(place / "roster.duckdb", SCHEMA)
    fed = Feed(broker, store, Health("membership"))
    task = asyncio.create_task(fed.run())
    try:
        yield fed, store
    finally:
        task.cancel()
        await asyncio.wait({task})
        await store.close()


async def test_what_is_there_is_folded_in_large_pieces(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A roster that starts folds as much at once as there is, up to a bound that keeps its memory
    small, and ends where the stream ends."""
    await broker.publish_batch(people(0, 1000))
    await broker.publish_batch(people(1000, 1500))
    async with feeding(broker, tmp_path / "one") as (fed, store):
        await fed.catch_up()
        assert store.ends == [0, 1500]
    monkeypatch.setattr(feed, "BATCH", 100)
    async with feeding(broker, tmp_path / "many") as (fed, store):
        await fed.catch_up()
        assert store.ends[-1] == 1500
        assert all(end - start >= 100 for start, end in pairwise(store.ends[:-1]))
        assert await store.read("select count(*) from people") == [(1500,)]


async def test_what_nobody_waits_for_is_gathered(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a transaction the next may be some time coming, so that an import costs few; but who
    waits for what is stored has it at once."""
    monkeypatch.setattr(feed, "PAUSE_SECONDS", 3600.0)
    async with feeding(broker, tmp_path) as (fed, store):
        for start in (0, 10):
            for message in people(start, start + 10):
                seq = await broker.publish(message.subject, message.data)
            await fed.reached(AsOf(people=seq), timeout=60)
        assert await store.read("select count(*) from people") == [(20,)]
        assert len(store.ends) <= 10


@pytest.mark.parametrize("others", [3, 7], ids=["fewer", "as many again"])
async def test_a_stream_that_went_back_is_not_followed_on(
    broker: Broker, tmp_path: Path, others: int
) -> None:
    """Where a broker comes back without messages that it gave out, the roster ends, to be folded
    anew: it would pass over what takes their sequences, also where that is more by then."""
    await broker.publish_batch(people(0, 5))
    store = await Store.open(tmp_path / "roster.duckdb", SCHEMA)
    fed = Feed(broker, store, Health("membership"))
    running = asyncio.create_task(fed.run())
    await fed.catch_up()
    stream = (await broker.api("STREAM.INFO.PEOPLE"))["config"]
    await broker.api("STREAM.DELETE.PEOPLE")
    await broker.api("STREAM.CREATE.PEOPLE", stream)
    await broker.publish_batch(people(10, 10 + others))
    for callback in tuple(broker.reconnected):
        callback()
    with pytest.raises(ExceptionGroup) as ended:
        await running
    assert ended.group_contains(WentBack, match="PEOPLE went back")
    await store.close()
