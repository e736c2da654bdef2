"""All recipients of a window left while the one before was sent: the others still get theirs."""

from __future__ import annotations

from pathlib import Path

from postroad.runtime.clock import envelope
from schemas import codec, subjects
from schemas.membership import MemberUnsubscribed
from tests.e2e.sending import LIST, sending
from tests.peers.checker import Post, check
from tests.peers.sink import Rule, Script

SLOW = Script(
    rules=(
        Rule(at="rcpt", match="^p0-3@", times=1, reply="450 4.2.0 Greylisted"),
        Rule(at="dot", delay=0.2),
    )
)


async def test_a_window_that_nobody_is_left_in(tmp_path: Path) -> None:
    """Nothing is sent for it, the chunk comes to its end, and who was greylisted in the window
    before is tried again."""
    async with sending(tmp_path, SLOW, {"window": "16", "retry_after": '"1s"'}) as here:
        everyone = await here.queue(await here.post(1), 0, 32)
        for number in range(16, 32):
            person = f"{number:024x}"
            left = envelope([MemberUnsubscribed()], correlation=person, actor="test")
            subject = subjects.membership(LIST, person)
            await here.road.broker.publish(subject, codec.encode(left), expect=0)
        await here.finished(2)
        assert check(here.sink.records(), [Post("<1@posts>", frozenset(everyone[:16]))]).exact
