"""Backups: streams into pieces and back into another broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from postroad.runtime.backup.copying import Copying
from postroad.runtime.backup.framing import Position, Reader
from postroad.runtime.backup.returning import bring_back, summed
from postroad.runtime.backup.segments import whole
from postroad.runtime.backup.vault import Damaged, Vault
from postroad.runtime.broker import Broker
from postroad.runtime.embedded import embedded


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[Broker]:
    """Another broker, with nothing in it."""
    async with (
        embedded(tmp_path / "other") as server,
        await Broker.connect(server.reach.url, name="other") as connected,
    ):
        yield connected


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A directory for backups."""
    return Vault(tmp_path / "backups")


async def state(broker: Broker, stream: str) -> Any:
    """What the broker says of a stream."""
    info = (await broker.api(f"STREAM.INFO.{stream}"))["state"]
    return {k: v for k, v in info.items() if k not in ("bytes", "consumer_count", "last_ts")}


async def filled(broker: Broker) -> None:
    """A stream with gaps, headers, large messages and a schedule."""
    for number in range(40):
        await broker.publish(f"mail.send.now.l.m{number}.0", b"x" * 1000, expect=0)
    await broker.publish("mail.send.bulk.l.big.0", bytes(range(256)) * 2000)
    await broker.erase("SEND", 7)
    await broker.erase("SEND", 1)
    due = {"Nats-Schedule": "@at 2199-01-01T00:00:00Z"}
    due["Nats-Schedule-Target"] = "mail.send.now.l.later.0"
    await broker.publish("mail.retry.l.later.0", b"later", headers=due)
    last = await broker.publish("mail.send.now.l.last.0", b"")
    await broker.erase("SEND", last)


async def test_a_stream_comes_back_as_it_was(broker: Broker, other: Broker, vault: Vault) -> None:
    """Sequences, times, headers, gaps and settings of a stream are those of the copied one, and a
    deleted message at its end gives its sequence to no other."""
    await filled(broker)
    reader = Reader(
        name="sender-now",
        config=(await broker.api("CONSUMER.INFO.SEND.sender-now"))["config"],
        floor=Position(consumer=12, stream=12),
    )
    copy = await Copying(broker, vault, "SEND", lambda _: None).copy(None, [reader])
    back = await bring_back(other, vault, copy, marks=0, replicas=1, tell=lambda _: None)
    assert await state(other, "SEND") == await state(broker, "SEND")
    assert (back.messages, back.sum) == (copy.messages, f"{whole(copy.pieces):064x}")
    assert await summed(other, "SEND", 99) == await summed(broker, "SEND", 99)
    config = (await other.api("STREAM.INFO.SEND"))["config"]
    assert config == (await broker.api("STREAM.INFO.SEND"))["config"]
    assert (await other.api("CONSUMER.INFO.SEND.sender-now"))["ack_floor"]["stream_seq"] == 12


async def test_an_empty_stream_goes_on_where_it_was(
    broker: Broker, other: Broker, vault: Vault
) -> None:
    """A stream from which all was deleted, or that never had anything, comes back as it was."""
    await broker.erase("RAW", await broker.publish("raw.a.0.0", b"x"))
    for name in ("RAW", "LISTS"):
        copy = await Copying(broker, vault, name, lambda _: None).copy(None, [])
        await bring_back(other, vault, copy, marks=0, replicas=1, tell=lambda _: None)
    assert (await state(other, "RAW"))["last_seq"] == 1
    assert await other.publish("raw.a.0.0", b"y", expect=0) == 2
    assert await other.publish("lists.l", b"y", expect=0) == 1


async def test_only_what_is_new_is_read_again(
    broker: Broker, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second copy reads what came since, and takes from the first what is still there: nothing
    that was deleted meanwhile, at its beginning, inside or by age."""
    monkeypatch.setattr("postroad.runtime.backup.segments.TARGET", 5_000)
    monkeypatch.setattr("postroad.runtime.backup.segments.SMALL", 2_500)
    monkeypatch.setattr("postroad.runtime.backup.copying.SMALL", 2_500)
    monkeypatch.setattr("postroad.runtime.backup.copying.TRIFLE", 0)
    for number in range(32):
        await broker.publish(f"raw.m{number}.0.0", b"x" * 1000)
    one = await Copying(broker, vault, "RAW", lambda _: None).copy(None, [])
    for number in range(3):
        await broker.publish(f"raw.n{number}.0.0", b"y" * 1000)
    second = Copying(broker, vault, "RAW", lambda _: None)
    two = await second.copy(one, [])
    assert second.fresh == 3
    assert two.pieces[:6] == one.pieces[:6]
    await broker.erase("RAW", 1)
    await broker.erase("RAW", 12)
    third = Copying(broker, vault, "RAW", lambda _: None)
    three = await third.copy(two, [])
    assert third.fresh == 0
    assert (three.messages, three.first) == (33, 2)
    assert f"{whole(three.pieces):x}" == f"{(await summed(broker, 'RAW', 99))[1]:x}"
    assert len({*three.pieces} & {*two.pieces}) >= 4


async def test_a_damaged_piece_is_named_and_mended(broker: Broker, vault: Vault) -> None:
    """A piece with one bit turned is named by its file; deleted, the next copy has it anew."""
    for number in range(40):
        await broker.publish(f"raw.m{number}.0.0", bytes(range(256)) * 200)
    one = await Copying(broker, vault, "RAW", lambda _: None).copy(None, [])
    name = one.pieces[0].name
    file = vault.path / "pieces" / name[:2] / name
    octets = bytearray(file.read_bytes())
    octets[len(octets) // 2] ^= 1
    file.write_bytes(octets)
    with pytest.raises(Damaged, match=name):
        vault.get(name)
    file.unlink()
    two = await Copying(broker, vault, "RAW", lambda _: None).copy(one, [])
    assert whole(two.pieces) == whole(one.pieces)
    assert vault.get(two.pieces[0].name)
