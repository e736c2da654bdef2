"""Specification: brokers that are lent to one test after the other (`tests/peers/lent.py`)."""

from __future__ import annotations

from pathlib import Path

from postroad.runtime.broker import Broker
from postroad.runtime.embedded import EmbeddedBroker, is_running
from tests.peers.lent import anew, lent

CHANGED = ("LISTS", "RAW")


async def used(server: EmbeddedBroker) -> int:
    """One stream has a message, one is changed, one more is there; the id of the process."""
    async with await Broker.connect(server.reach.url, name="test") as broker:
        await anew(broker, ack_wait=2.0)
        assert await state(broker) == [(0, 0)] * len(CHANGED)
        await broker.publish("lists.x", b"x")
        config = (await broker.api("STREAM.INFO.RAW"))["config"]
        await broker.api("STREAM.UPDATE.RAW", {**config, "max_age": 10**12})
        await broker.api("STREAM.CREATE.OTHER", {"name": "OTHER", "subjects": ["other.>"]})
        await broker.api("CONSUMER.DELETE.RECEIVED.router")
    assert server.process is not None
    return server.process.pid


async def state(broker: Broker) -> list[tuple[int, int]]:
    """Of the streams that are changed: the last sequence and the age. The others are as ever."""
    names = [each["config"]["name"] for each in (await broker.api("STREAM.LIST"))["streams"]]
    assert "OTHER" not in names
    await broker.api("CONSUMER.INFO.RECEIVED.router")
    found = [await broker.api(f"STREAM.INFO.{name}") for name in CHANGED]
    return [(each["state"]["last_seq"], each["config"]["max_age"]) for each in found]


async def test_whoever_is_lent_a_broker_finds_it_new(tmp_path: Path) -> None:
    """The next has the same process, of which nothing tells that somebody had it; who was killed
    is lent to nobody."""
    async with lent(tmp_path / "one") as server:
        assert is_running(tmp_path / "one")
        first = await used(server)
    assert not is_running(tmp_path / "one")
    async with lent(tmp_path / "two") as server, lent(tmp_path / "other") as other:
        assert await used(server) == first
        assert await used(other) != first
        assert server.process is not None
        server.process.kill()
        await server.process.wait()
        await server.start()
        assert await used(server) != first
    async with lent(tmp_path / "three") as server:
        assert server.process is not None
        assert server.process.pid == other.process.pid  # type: ignore[union-attr]
