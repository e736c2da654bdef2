"""A chunk that was scheduled stands in the stream twice, or nearly: it goes out once."""

from __future__ import annotations

from pathlib import Path

from schemas import subjects
from tests.e2e.sending import LIST, sending
from tests.e2e.system import until
from tests.peers.checker import Post, check
from tests.peers.sink import Rule, Script

GREY = Script(
    rules=(
        Rule(at="rcpt", per="subject", times=1, reply="450 4.2.0 Greylisted"),
        Rule(at="dot", times=1, delay=1),  # the retry is on its way while its chunk is read again
    )
)


async def test_a_chunk_that_is_read_again(tmp_path: Path) -> None:
    """The schedule is gone when it has fired: what says that a retry was queued is the chunk. It
    is not scheduled again, and stands in the stream once."""
    async with sending(tmp_path, GREY, {"retry_after": '"2s"'}) as here:
        broker = here.road.broker
        ref = await here.post(1)
        everyone = await here.queue(ref, 0, 4)
        await until(here.road.retries, "the retry is scheduled")
        await here.road.kill("sender")
        retry = subjects.send("bulk", LIST, ref.mail_id, "0r1")

        async def fired() -> bool:
            return await broker.last("SEND", retry) is not None

        await until(fired, "the retry came back")
        await broker.api("CONSUMER.RESET.SEND.sender-bulk", {"seq": 1})
        await here.road.run("sender")
        await here.finished(2)
        assert len([stored async for stored in broker.scan("SEND", retry)]) == 1
        assert check(here.sink.records(), [Post("<1@posts>", frozenset(everyone))]).exact


async def test_a_schedule_that_fires_twice(tmp_path: Path) -> None:
    """The same chunk stands in the stream twice, one behind the other: it is sent once."""
    async with sending(tmp_path, Script(rules=(Rule(at="dot", delay=0.05),))) as here:
        await here.road.kill("sender")
        ref = await here.post(1)
        everyone = await here.queue(ref, 0, 8)
        subject = subjects.send("bulk", LIST, ref.mail_id, "0")
        stored = await here.road.broker.last("SEND", subject)
        assert stored is not None
        await here.road.broker.publish(subject, stored.data, expect=stored.seq)
        await here.road.run("sender")
        await here.finished(1)
        assert check(here.sink.records(), [Post("<1@posts>", frozenset(everyone))]).exact
