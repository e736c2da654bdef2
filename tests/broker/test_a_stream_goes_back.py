"""A broker that begins with less than it had: nobody goes on with that before a person decides."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.runtime import streamends
from postroad.runtime.backup.copying import Copying
from postroad.runtime.backup.vault import Vault
from postroad.runtime.broker import Broker
from postroad.runtime.embedded import EmbeddedBroker, embedded
from postroad.runtime.errors import PostroadError
from postroad.runtime.health import Health
from postroad.runtime.provision import provision
from postroad.runtime.wholeness import Wholeness

STORE = "broker/jetstream/jetstream/$G/streams/MEMBERSHIP/msgs"


@contextlib.asynccontextmanager
async def running(state_dir: Path) -> AsyncIterator[tuple[EmbeddedBroker, Broker]]:
    """The broker of a state_dir."""
    async with (
        embedded(state_dir) as server,
        await Broker.connect(server.reach.url, name="test") as broker,
    ):
        yield server, broker


async def test_a_damaged_block_holds_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a block of the store was overwritten services are held, also when the broker was
    started anew beside them, and go on once the loss is accepted; nobody may start one by hand."""
    monkeypatch.setattr("postroad.runtime.wholeness.LOOK_SECONDS", 0.05)
    monkeypatch.setattr("postroad.runtime.wholeness.SOON_SECONDS", 0.05)
    monkeypatch.setattr("postroad.runtime.wholeness.AGAIN_SECONDS", 0.05)
    told: asyncio.Queue[str] = asyncio.Queue()

    async def start() -> None:
        told.put_nowait("start")

    async def hold() -> None:
        told.put_nowait("hold")

    async with running(tmp_path) as (server, broker):
        await provision(broker)
        for number in range(3):
            await broker.publish(f"membership.l.p{number}", b"x")
        health = Health("test")
        whole = Wholeness(broker, tmp_path, health)
        await whole.look()
        assert streamends.read(tmp_path)["MEMBERSHIP"].last == 3
        keeping = asyncio.create_task(whole.keep(start, hold))
        assert await told.get() == "start"
        await server.stop()
        for block in (tmp_path / STORE).glob("*.blk"):
            with block.open("r+b") as file:
                file.write(b"\xff" * 32)
        await server.start()
        assert await told.get() == "hold"
        (fact,) = (fact for fact in health.answer().facts if not fact.ok)
        assert (fact.name, fact.alarm[:16]) == ("MEMBERSHIP", "has gone back: i")
        with pytest.raises(PostroadError, match="stream accept MEMBERSHIP"):
            await streamends.refuse(broker, tmp_path)
        assert streamends.read(tmp_path)["MEMBERSHIP"].last == 3
        assert await streamends.accept(broker, tmp_path, "ROUTED") is None
        assert await streamends.accept(broker, tmp_path, "MEMBERSHIP")
        assert await told.get() == "start"
        await streamends.refuse(broker, tmp_path)
        keeping.cancel()


async def test_blocks_that_are_gone_are_noticed(tmp_path: Path) -> None:
    """Where all blocks of the ledger or of PEOPLE are gone the broker goes on counting; that is
    noticed, and what an erasure or its age took is no loss."""
    async with running(tmp_path) as (server, broker):
        await provision(broker)
        for subject in ("people.a", "people.b", "people.a", "seen.l.a", "seen.l.a", "threads.l.a"):
            await broker.publish(subject, b"x")
        for number in range(3):
            await broker.publish(f"delivery.l.m{number}.1", b"x")
            await broker.publish(f"mail.routed.post.l.m{number}", b"x")
        assert await streamends.looked(broker, tmp_path) == {}
        await broker.erase("PEOPLE", 1)
        config = (await broker.api("STREAM.INFO.ROUTED"))["config"]
        short = {"max_age": 100_000_000, "duplicate_window": 100_000_000}
        await broker.api("STREAM.UPDATE.ROUTED", {**config, **short})
        while (await broker.api("STREAM.INFO.ROUTED"))["state"]["messages"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert await streamends.looked(broker, tmp_path) == {}
        await server.stop()
        for name in ("PEOPLE", "DELIVERY", "THREADS"):
            for block in (tmp_path / STORE.replace("MEMBERSHIP", name)).glob("*.blk"):
                block.unlink()
        await server.start()
        await broker.publish("delivery.l.m3.1", b"x")  # somebody was faster than the look
        assert await streamends.looked(broker, tmp_path) == {
            "PEOPLE": "has lost all messages of 2 subjects, which nothing deletes",
            "DELIVERY": "has lost 3 messages, which nothing deletes",
            "THREADS": "has lost 1 message, which nothing deletes",
        }
        for name in ("PEOPLE", "DELIVERY", "THREADS"):
            assert await streamends.accept(broker, tmp_path, name)
        assert await streamends.looked(broker, tmp_path) == {}


async def test_a_damaged_message_is_named_by_the_backup(tmp_path: Path) -> None:
    """A message within a block that the broker counts and cannot give is named; what was deleted
    is not taken for one."""
    async with running(tmp_path) as (server, broker):
        await provision(broker)
        for number in range(9):
            await broker.publish(f"mail.received.l.m{number}", b"x" * 500)
        await broker.erase("RECEIVED", 3)
        await server.stop()
        (block,) = (tmp_path / STORE.replace("MEMBERSHIP", "RECEIVED")).glob("*.blk")
        with block.open("r+b") as file:
            file.seek(block.stat().st_size // 2)
            file.write(bytes(8))
        await server.start()
        copying = Copying(broker, Vault(tmp_path / "backups"), "RECEIVED", lambda _: None)
        copy = await copying.copy(None, ())
        assert copy.messages == 7
        assert len(copying.unreadable) == 1
        assert 3 not in copying.unreadable
