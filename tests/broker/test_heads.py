"""What waits is read by its headers alone."""

from __future__ import annotations

import pytest

from postroad.runtime.broker import Broker, Message
from postroad.runtime.pull import PAGE, heads
from schemas import subjects


@pytest.mark.parametrize("count", [0, 1, PAGE, PAGE + 1])
async def test_all_of_them_and_none_of_their_bytes(broker: Broker, count: int) -> None:
    """Each message of these subjects once, in order, with its headers; nothing stays behind that
    the broker would have to keep."""
    body = b"p1@example.net" * 1000
    messages = [
        Message(subjects.retry("team", "m", str(n)), body, headers={"Postroad-Copies": str(n)})
        for n in range(count)
    ]
    for start in range(0, count, 500):
        await broker.publish_batch(messages[start : start + 500])
    await broker.publish(subjects.fanout("team", "m"), b"another")
    found = await heads(broker, "SEND", subjects.retry("*", "*", "*"))
    assert [stored.headers["Postroad-Copies"] for stored in found] == [str(n) for n in range(count)]
    assert not any(stored.data for stored in found)
    info = await broker.api("CONSUMER.NAMES.SEND")
    assert sorted(info["consumers"]) == ["sender-bulk", "sender-now"]
