"""What a release would change, asked before it is started."""

from __future__ import annotations

from pathlib import Path

from postroad.cli.upgrading import configs, own
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from postroad.runtime.config import Config
from schemas import codec, subjects
from schemas.parking import ParkedResolved


async def test_what_would_be_changed_is_told_and_not_done(broker: Broker, tmp_path: Path) -> None:
    """A stream that is missing, one that lacks a property, and a consumer with another filter are
    told; all stay as they are."""
    file = tmp_path / "postroad.toml"
    file.write_text("[site]\ndomain = 'lists.example.org'\n[broker]\nack_wait = '2s'\n")
    config = Config.load(file, {})
    assert await configs.changes(broker, config) == []
    await broker.api("STREAM.DELETE.SEEN")
    send = (await broker.api("STREAM.INFO.SEND"))["config"]
    await broker.api("STREAM.UPDATE.SEND", {**send, "allow_direct": False})
    before = await broker.api("STREAM.INFO.SEND")
    told = await configs.changes(broker, config)
    assert told == [
        "stream SEND: allow_direct False becomes True",
        "stream SEEN is made",
    ]
    assert (await broker.api("STREAM.INFO.SEND"))["config"] == before["config"]
    names = (await broker.api("STREAM.NAMES"))["streams"]
    assert "SEEN" not in names


async def test_what_was_dropped_is_not_held_against_a_release(broker: Broker) -> None:
    """A message that nobody understands, and that was parked and dropped, is told apart; where
    another consumer has it parked still, it is not."""
    for _ in range(2):
        await broker.publish("mail.received.none.1", b"garbage")
    dropped = codec.encode(envelope([ParkedResolved(parked=1, how="dropped")], correlation="c"))
    for durable, seq, last in (("router", 1, dropped), ("router", 2, dropped), ("x", 2, b"{}")):
        subject = subjects.deadletter(durable, "RECEIVED", seq)
        await broker.publish(subject, b"{}")
        await broker.publish(subject, last)
    outcome = await own.folded(broker, lambda *_: None)
    (log,) = [each for each in outcome.streams if each.stream == "RECEIVED"]
    assert (log.dropped, log.first_dropped) == (1, ["1"])
    assert (log.unknown, log.first) == (1, ["2"])


async def test_events_of_a_newer_release_are_told(broker: Broker) -> None:
    """Messages that this release does not know are counted and named by their sequence."""
    await broker.publish("lists.l", b'{"events":[{"t":"of_tomorrow"}]}')
    outcome = await own.folded(broker, lambda *_: None)
    (log,) = [each for each in outcome.streams if each.stream == "LISTS"]
    assert (log.messages, log.unknown, log.first) == (1, 1, ["1"])
