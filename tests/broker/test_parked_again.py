"""What was parked, once somebody has resolved it: handled again, or never."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from postroad.runtime.again import Again
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from postroad.runtime.consume import Consumer, Delivery
from postroad.runtime.errors import Reject
from postroad.runtime.health import Health
from postroad.runtime.parked import parked
from postroad.runtime.telemetry import Telemetry
from schemas import codec, subjects
from schemas.parking import ParkedResolved
from tests.e2e.system import until

Handler = Callable[[Delivery], Awaitable[None]]
MAIL = subjects.received("box", "m")
DEAD = subjects.deadletter("router", "RECEIVED", 1)


@contextlib.asynccontextmanager
async def consuming(broker: Broker, handler: Handler) -> AsyncIterator[Health]:
    """The router's durable, and what it parked, for the length of the block."""
    health, stopping = Health("test"), asyncio.Event()
    consumer = Consumer(
        broker,
        Telemetry("test"),
        health,
        subjects.ROUTER,
        handler,
        concurrency=2,
        ack_wait=2.0,
    )
    running = [asyncio.create_task(each.run(stopping)) for each in (consumer, Again(consumer))]
    try:
        yield health
    finally:
        stopping.set()
        await asyncio.gather(*running)


async def resolve(broker: Broker, how: str, dead: str = DEAD) -> int:
    """Somebody says what becomes of the parked message; at which sequence it now lies."""
    last = await broker.last("DEADLETTER", dead)
    assert last is not None
    event = ParkedResolved(parked=last.seq, how=how)  # type: ignore[arg-type]
    data = codec.encode(envelope([event], correlation="", actor="operator"))
    return await broker.publish(dead, data, expect=last.seq)


async def waiting(broker: Broker, count: int) -> None:
    """Wait until so many messages are parked and unresolved."""

    async def there() -> bool:
        return (await parked(broker))[0] == count

    await until(there, f"{count} parked")


async def test_a_requeued_message_is_what_it_was(broker: Broker) -> None:
    """Its handler gets the same message under its own subject and sequence, and nothing is stored a
    second time; where it fails again it is parked anew, and can be requeued once more."""
    seen: list[tuple[str, int, bytes, int]] = []
    well = asyncio.Event()
    mended = False

    async def handle(delivery: Delivery) -> None:
        seen.append((delivery.subject, delivery.seq, delivery.data, delivery.ns))
        if not mended:
            raise Reject("not yet")
        well.set()

    await broker.publish(MAIL, b"the mail", expect=0)
    async with consuming(broker, handle):
        await waiting(broker, 1)
        await resolve(broker, "requeued")

        async def again() -> bool:
            return len(seen) == 2

        await until(again, "it was handled again")
        await waiting(broker, 1)
        mended = True
        await resolve(broker, "requeued")
        await asyncio.wait_for(well.wait(), 10)
    assert [each[:3] for each in seen] == [(MAIL, 1, b"the mail")] * 3
    assert len({ns // 10**6 for *_, ns in seen}) == 1
    assert (await broker.api("STREAM.INFO.RECEIVED"))["state"]["messages"] == 1
    assert (await parked(broker))[0] == 0


async def test_what_is_gone_from_its_stream_is_handled_as_it_was_parked(broker: Broker) -> None:
    """Where the message was deleted meanwhile, the bytes in DEADLETTER stand for it."""
    seen: list[bytes] = []
    well = asyncio.Event()

    async def handle(delivery: Delivery) -> None:
        seen.append(delivery.data)
        if len(seen) == 1:
            raise Reject("not yet")
        well.set()

    await broker.publish(MAIL, b"the mail", expect=0)
    async with consuming(broker, handle):
        await waiting(broker, 1)
        await broker.erase("RECEIVED", 1)
        await resolve(broker, "requeued")
        await asyncio.wait_for(well.wait(), 10)
    assert seen == [b"the mail", b"the mail"]


async def test_what_was_dropped_stays_so_when_it_is_read_again(broker: Broker) -> None:
    """A consumer that is reset passes over what somebody dropped for good, whether its service
    heard of that or began later, and however many messages come at once."""
    seen: list[str] = []
    others = {subjects.received("box", f"n{number}") for number in range(20)}
    well = asyncio.Event()

    async def handle(delivery: Delivery) -> None:
        seen.append(delivery.subject)
        if delivery.subject == MAIL:
            raise Reject("never")
        if others <= set(seen):
            well.set()

    async def read_again() -> None:
        seen.clear()
        well.clear()
        await broker.api("CONSUMER.RESET.RECEIVED.router", {"seq": 1})
        await asyncio.wait_for(well.wait(), 10)

    await asyncio.gather(*(broker.publish(other, b"", expect=0) for other in others))
    seq = await broker.publish(MAIL, b"", expect=0)
    async with consuming(broker, handle):
        await asyncio.wait_for(well.wait(), 10)
        await waiting(broker, 1)
        await resolve(broker, "dropped", subjects.deadletter("router", "RECEIVED", seq))
        await read_again()
        assert MAIL not in seen
    async with consuming(broker, handle):
        await read_again()
        assert MAIL not in seen
    assert (await parked(broker))[0] == 0


async def test_a_consumer_that_somebody_deleted_is_made_anew(broker: Broker) -> None:
    """A service goes on where its consumer was deleted while it consumes."""
    seen: list[str] = []
    wanted = {MAIL}
    well = asyncio.Event()

    async def handle(delivery: Delivery) -> None:
        seen.append(delivery.subject)
        if wanted <= set(seen):
            well.set()

    await broker.publish(MAIL, b"", expect=0)
    async with consuming(broker, handle):
        await asyncio.wait_for(well.wait(), 10)
        well.clear()
        wanted.add(subjects.received("box", "n"))
        await broker.api("CONSUMER.DELETE.RECEIVED.router")
        await broker.publish(subjects.received("box", "n"), b"", expect=0)
        await asyncio.wait_for(well.wait(), 10)
