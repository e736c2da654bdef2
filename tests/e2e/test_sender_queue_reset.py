"""An operator resets the sender's consumers to the beginning: nobody gets a second copy."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.sending import sending
from tests.peers.checker import Post, check
from tests.peers.sink import Rule, Script


async def test_a_reset_consumer_sends_nothing_again(tmp_path: Path) -> None:
    """The ledger outlives the queue: chunks read a second time cause no SMTP transaction."""
    later = Script(rules=(Rule(at="rcpt", match="p1-3@", times=1, reply="450 4.2.0 later"),))
    async with sending(tmp_path, later, relay={"retry_after": '"1s"'}) as here:
        ref = await here.post(1)
        everyone = []
        for chunk, size, personal in ((0, 10, True), (1, 40, True), (2, 250, False)):
            everyone += await here.queue(ref, chunk, size, personal=personal)
        await here.finished(4)  # the fourth is the retry
        assert check(here.sink.records(), [Post("<1@posts>", frozenset(everyone))]).exact
        before = len(here.sink.records())
        await here.road.broker.api("CONSUMER.RESET.SEND.sender-bulk", {"seq": 1})
        await here.road.settled_again("SEND", "sender-bulk")
        assert len(here.sink.records()) == before
