"""A sender dies in a window, and the one beside it cannot go on at once: the chunk waits."""

from __future__ import annotations

from pathlib import Path

from schemas import subjects
from schemas.road import ChunkQueued
from services.sender.progress import Chunk
from services.sender.requeue import Requeue
from tests.e2e.sending import LIST, sending
from tests.peers.checker import Post, check
from tests.peers.sink import Rule, Script

CHUNKS, SIZE = 4, 60  # each chunk is one window
SLOW = Script(rules=(Rule(at="dot", delay=0.2),))  # a second sender is there before they are sent


async def test_what_comes_back_by_the_schedule(tmp_path: Path) -> None:
    """A chunk of one window that was scheduled anew looks as if nobody had tried it. Who had their
    copy from the dead one gets none again, but for one a lane, and that one is marked."""
    async with sending(tmp_path, SLOW, {"window": str(SIZE)}) as here:
        broker = here.road.broker
        ref = await here.post(1)
        everyone = [a for n in range(CHUNKS) for a in await here.queue(ref, n, SIZE)]
        first = here.road.processes["sender"]
        await here.road.run("sender")
        await here.road.ready(["sender"])
        first.kill()
        await first.wait()
        assert not await here.ledger(), "all chunks are under way"
        here.sink.tell(Script())
        for number in range(CHUNKS):
            subject = subjects.send("bulk", LIST, ref.mail_id, str(number))
            stored = await broker.last("SEND", subject)
            assert stored is not None
            message = stored.envelope()
            (event,) = message.events
            assert isinstance(event, ChunkQueued)
            chunk = Chunk(event, message.id, message.ts, subjects.delivery(*subject.split(".")[3:]))
            await Requeue(broker).postpone(
                chunk, "bulk", stored.data, 0.5, "out", "the test wants it"
            )
            await broker.api("STREAM.MSG.DELETE.SEND", {"seq": stored.seq})
        await here.finished(CHUNKS)
        report = check(here.sink.records(), [Post("<1@posts>", frozenset(everyone))])
        assert not report.lost
        assert report.extra <= CHUNKS, report
        assert {recipient for _, _, recipient in report.duplicates} <= set(await here.marked())
