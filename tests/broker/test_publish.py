"""Storing messages: once, all or none, and through a broker that dies."""

from __future__ import annotations

import asyncio
import signal

import pytest
from nats.errors import StaleConnectionError

from postroad.runtime.apierror import ApiError
from postroad.runtime.broker import Broker, Message
from postroad.runtime.embedded import EmbeddedBroker
from postroad.runtime.errors import Conflict, NoRoom
from schemas import subjects


async def _restart(server: EmbeddedBroker) -> None:
    assert server.process is not None
    server.process.kill()
    await server.process.wait()
    await server.start()


async def test_a_fact_is_stored_once(broker: Broker) -> None:
    """An expected sequence of 0 lets the first message of a subject in and no second."""
    seq = await broker.publish("lists.team", b"first", expect=0)
    with pytest.raises(Conflict):
        await broker.publish("lists.team", b"second", expect=0)
    last = await broker.last("LISTS", "lists.team")
    assert last is not None
    assert (last.seq, last.data) == (seq, b"first")


async def test_a_decision_spans_its_kinds(broker: Broker) -> None:
    """One mail and list is decided once, whatever the kind of the decision."""
    decided = subjects.decided("team", "m1")
    await broker.publish(
        subjects.routed("post", "team", "m1"), b"", expect=0, expect_filter=decided
    )
    with pytest.raises(Conflict):
        await broker.publish(
            subjects.routed("held", "team", "m1"), b"", expect=0, expect_filter=decided
        )
    await broker.publish(
        subjects.routed("held", "other", "m1"),
        b"",
        expect=0,
        expect_filter=subjects.decided("other", "m1"),
    )


async def test_publish_waits_for_a_dead_broker(broker: Broker, server: EmbeddedBroker) -> None:
    """A publish begun while the broker is down is stored once when it is back."""
    assert server.process is not None
    server.process.kill()
    await server.process.wait()
    publishing = asyncio.create_task(broker.publish("lists.late", b"x", expect=0))
    await server.start()
    assert await publishing == 1
    assert [m.data async for m in broker.scan("LISTS", "lists.>")] == [b"x"]


async def test_an_answer_that_died_with_the_broker_is_not_waited_for(
    broker: Broker, server: EmbeddedBroker
) -> None:
    """Who had asked when the broker was killed learns at once that no answer comes, however long
    it would have waited."""
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    asked = asyncio.create_task(broker.inbox.ask("$JS.API.INFO", b"", None, 3600))
    await asyncio.sleep(0)
    server.process.kill()
    with pytest.raises(StaleConnectionError):
        await asked
    await server.process.wait()
    await server.start()


async def test_that_there_is_no_room_is_told_once_and_that_there_is_again(broker: Broker) -> None:
    """Who keeps watch hears of the first refusal for lack of room, and of the next success."""
    heard: list[bool] = []
    broker.room = heard.append
    config = (await broker.api("STREAM.INFO.LISTS"))["config"]
    await broker.api("STREAM.UPDATE.LISTS", {**config, "max_bytes": 1, "discard": "new"})
    for _ in range(2):
        with pytest.raises(NoRoom):
            await broker.publish("lists.team", b"x", expect=0)
    assert heard == [False]
    await broker.api("STREAM.UPDATE.LISTS", config)
    await broker.publish("lists.team", b"x", expect=0)
    assert heard == [False, True]


async def test_what_was_acknowledged_survives_kill(broker: Broker, server: EmbeddedBroker) -> None:
    """Everything acknowledged before a kill -9 of the broker is there after it."""
    await asyncio.gather(
        *(broker.publish(f"membership.team.{n}", b"x", expect=0) for n in range(300))
    )
    await _restart(server)
    assert len([m async for m in broker.scan("MEMBERSHIP", "membership.team.*")]) == 300


async def test_a_batch_is_all_or_none(broker: Broker) -> None:
    """One message of a batch whose expectation fails keeps every other out."""
    await broker.publish("membership.team.5", b"x", expect=0)
    batch = [Message(f"membership.team.{n}", b"y", expect=0) for n in range(10)]
    with pytest.raises(Conflict):
        await broker.publish_batch(batch)
    assert len([m async for m in broker.scan("MEMBERSHIP", "membership.>")]) == 1
    last = await broker.publish_batch(batch[6:])
    assert last == 5


async def test_a_refusal_is_told(broker: Broker) -> None:
    """A call the broker will never accept fails at once, in words."""
    with pytest.raises(ApiError, match=r"stream not found"):
        await broker.api("STREAM.INFO.NOSUCH")


async def test_reads_find_exactly_what_is_there(broker: Broker) -> None:
    """Scan, last, last_many and get agree on the messages of a stream, over several pages."""
    await broker.publish_batch([Message(f"people.{n:04}", b"%d" % n) for n in range(1000)])
    await broker.publish_batch([Message(f"people.{n:04}", b"%d" % n) for n in range(1000, 1500)])
    scanned = [m.data async for m in broker.scan("PEOPLE", "people.>")]
    assert scanned == [b"%d" % n for n in range(1500)]
    assert [m.seq async for m in broker.scan("PEOPLE", "people.>", 1499)] == [1499, 1500]
    names = [f"people.{n:04}" for n in range(1400, 1600)]
    assert set(await broker.last_many("PEOPLE", names)) == set(names[:100])
    assert await broker.last("PEOPLE", "people.9999") is None
    assert await broker.get("PEOPLE", 4000) is None
    assert [m async for m in broker.scan("PEOPLE", "people.9999")] == []


@pytest.mark.own_broker
async def test_erased_bytes_are_gone(broker: Broker, server: EmbeddedBroker) -> None:
    """Erasing a message removes its bytes from the files, not only from the index."""
    seq = await broker.publish("people.k", b"anna@example.org", expect=0)
    await broker.publish("people.other", b"bert@example.org", expect=0)
    await broker.erase("PEOPLE", seq)
    files = [path for path in server.home.rglob("*") if path.is_file()]
    assert not any(b"anna@example.org" in path.read_bytes() for path in files)
    assert await broker.last("PEOPLE", "people.k") is None
