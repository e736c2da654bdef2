"""The consume loop: three families of failure, and nothing held up by poison."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from postroad.runtime.broker import Broker
from postroad.runtime.consume import Consumer, Delivery
from postroad.runtime.embedded import EmbeddedBroker
from postroad.runtime.errors import Reject, Retry, Superseded
from postroad.runtime.health import Health
from postroad.runtime.telemetry import Telemetry
from schemas import subjects
from schemas.road import Parked
from tests.e2e.system import PATIENCE, until

Handler = Callable[[Delivery], Awaitable[None]]


@contextlib.asynccontextmanager
async def consuming(
    broker: Broker, handler: Handler, concurrency: int = 8
) -> AsyncIterator[Health]:
    """Run a handler over the router's durable for the length of the block."""
    health, stopping = Health("test"), asyncio.Event()
    consumer = Consumer(
        broker,
        Telemetry("test"),
        health,
        subjects.ROUTER,
        handler,
        concurrency=concurrency,
        ack_wait=2.0,
    )
    task = asyncio.create_task(consumer.run(stopping))
    try:
        yield health
    finally:
        stopping.set()
        await task


async def _fill(broker: Broker, count: int) -> None:
    await asyncio.gather(
        *(broker.publish(subjects.received("box", f"m{n}"), b"{}", expect=0) for n in range(count))
    )


async def _unacknowledged(broker: Broker) -> tuple[int, int]:
    info = await broker.api("CONSUMER.INFO.RECEIVED.router")
    return info["num_pending"], info["num_ack_pending"]


async def test_every_message_is_handled_once(broker: Broker) -> None:
    """Without failures each message is handled once and acknowledged."""
    seen: list[int] = []
    full = asyncio.Event()

    async def handle(delivery: Delivery) -> None:
        seen.append(delivery.seq)
        if len(seen) == 500:
            full.set()

    await _fill(broker, 500)
    async with consuming(broker, handle):
        await asyncio.wait_for(full.wait(), PATIENCE)
    assert sorted(seen) == list(range(1, 501))

    async def acknowledged() -> bool:
        return await _unacknowledged(broker) == (0, 0)

    await until(acknowledged, "all is acknowledged")


async def test_retry_comes_back_and_poison_is_parked(broker: Broker) -> None:
    """Retry comes back, Reject and a bug end in DEADLETTER with their bytes, others pass them."""
    seen: list[str] = []

    async def handle(delivery: Delivery) -> None:
        name = delivery.subject.rpartition(".")[2]
        if name == "m0":
            raise ValueError("a bug")
        if name == "m1":
            raise Reject("cannot be")
        if name == "m2" and delivery.attempt < 3:
            raise Retry("later", 0.05)
        seen.append(name)

    await _fill(broker, 10)
    async with consuming(broker, handle) as health:

        async def all_ended() -> bool:
            return health.answer().counts.get("parked") == 2 and len(seen) == 8

        await until(all_ended, "two are parked and eight handled")
    assert sorted(seen) == sorted(f"m{n}" for n in range(2, 10))
    letters = [
        event
        async for stored in broker.scan("DEADLETTER", "deadletter.>")
        for event in stored.envelope().events
    ]
    by_family = {letter.family: letter for letter in letters if isinstance(letter, Parked)}
    assert by_family["reject"].reason == "cannot be"
    assert "ValueError" in by_family["bug"].trace
    assert by_family["bug"].data == b"{}"


async def test_unanswered_messages_go_to_the_next_worker(broker: Broker) -> None:
    """A message that a superseded worker says nothing of is delivered again after ack_wait."""
    attempts: list[int] = []
    again = asyncio.Event()

    async def handle(delivery: Delivery) -> None:
        attempts.append(delivery.attempt)
        if delivery.attempt == 1:
            raise Superseded
        again.set()

    await _fill(broker, 1)
    async with consuming(broker, handle):
        await asyncio.wait_for(again.wait(), PATIENCE)
    assert attempts == [1, 2]


async def test_long_work_is_not_given_to_another(broker: Broker) -> None:
    """A handler that works longer than ack_wait keeps its message."""
    attempts: list[int] = []
    done = asyncio.Event()

    async def handle(delivery: Delivery) -> None:
        attempts.append(delivery.attempt)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 5.0)
        done.set()

    await _fill(broker, 1)
    async with consuming(broker, handle):
        await asyncio.wait_for(done.wait(), PATIENCE)
    assert attempts == [1]


async def test_consuming_goes_on_after_the_broker_was_killed(
    broker: Broker, server: EmbeddedBroker
) -> None:
    """After a kill -9 of the broker, what is published next is handled."""
    seen: set[str] = set()
    wanted = asyncio.Event()

    async def handle(delivery: Delivery) -> None:
        seen.add(delivery.subject)
        if subjects.received("box", "after") in seen:
            wanted.set()

    await _fill(broker, 20)
    async with consuming(broker, handle):
        assert server.process is not None
        server.process.kill()
        await server.process.wait()
        await server.start()
        await broker.publish(subjects.received("box", "after"), b"{}", expect=0)
        await asyncio.wait_for(wanted.wait(), PATIENCE)


async def test_follow_gives_each_message_once_across_a_restart(
    broker: Broker, server: EmbeddedBroker
) -> None:
    """A follower sees every message in order and once, though the broker was killed between."""
    seen: list[int] = []
    half, full = asyncio.Event(), asyncio.Event()

    async def follow() -> None:
        async for batch in broker.follow("LISTS", "lists.>"):
            seen.extend(stored.seq for stored in batch)
            if len(seen) >= 50:
                half.set()
            if len(seen) >= 100:
                full.set()

    task = asyncio.create_task(follow())
    for n in range(50):
        await broker.publish(f"lists.a{n}", b"", expect=0)
    await asyncio.wait_for(half.wait(), PATIENCE)
    assert server.process is not None
    server.process.kill()
    await server.process.wait()
    await server.start()
    for n in range(50):
        await broker.publish(f"lists.b{n}", b"", expect=0)
    await asyncio.wait_for(full.wait(), PATIENCE)
    task.cancel()
    assert seen == list(range(1, 101))


async def test_what_waits_for_its_turn_is_not_delivered_twice(broker: Broker) -> None:
    """A message that waits longer than ack_wait behind a slow one is handled once."""
    attempts: list[tuple[int, int]] = []
    done = asyncio.Event()

    async def handle(delivery: Delivery) -> None:
        attempts.append((delivery.seq, delivery.attempt))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 3.0)
        if len(attempts) == 2:
            done.set()

    await _fill(broker, 2)
    async with consuming(broker, handle, concurrency=1):
        await asyncio.wait_for(done.wait(), PATIENCE)
    assert attempts == [(1, 1), (2, 1)]
