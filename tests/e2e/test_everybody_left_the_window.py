"""All recipients of a window left while the one before was sent: the others still get theirs."""

from __future__ import annotations

from pathlib import Path

from postroad.runtime.clock import envelope
from schemas import codec, subjects
from schemas.membership import MemberUnsubscribed
from tests.e2e.sending import LIST, Sending, sending
from tests.peers.checker import Post, check
from tests.peers.sink import Rule, Script

SLOW = Script(
    rules=(
        Rule(at="rcpt", match="^p0-3@", times=1, reply="450 4.2.0 Greylisted"),
        Rule(at="dot", delay=0.2),
    )
)


async def leave(here: Sending, person: str) -> None:
    """Have a person leave the list."""
    left = envelope([MemberUnsubscribed()], correlation=person, actor="test")
    subject = subjects.membership(LIST, person)
    await here.road.broker.publish(subject, codec.encode(left), expect=0)


async def test_a_window_that_nobody_is_left_in(tmp_path: Path) -> None:
    """Nothing is sent for it, the chunk comes to its end, and who was greylisted in the window
    before is tried again."""
    async with sending(tmp_path, SLOW, {"window": "16", "retry_after": '"1s"'}) as here:
        everyone = await here.queue(await here.post(1), 0, 32)
        for number in range(16, 32):
            await leave(here, f"{number:024x}")
        await here.finished(2)
        assert check(here.sink.records(), [Post("<1@posts>", frozenset(everyone[:16]))]).exact


async def test_who_left_before_a_window_whose_connection_broke(tmp_path: Path) -> None:
    """The ledger names them all the same: nobody is missing from the account of a post."""
    once = Rule(at="mail", per="connection", after=1, close=True)
    slow = Rule(at="dot", times=1, delay=3.0)
    async with sending(tmp_path, Script(rules=(once, slow)), {"connections": "1"}) as here:
        await here.queue(await here.post(1), 0, 1)
        ref = await here.post(2)
        people = [f"{7:012x}{n:012x}" for n in range(4)]
        for person in people[:2]:
            await leave(here, person)
        everyone = await here.queue(ref, 7, 4)
        await here.finished(2)
        told = {
            failure.index: failure.kind
            for entry in await here.ledger()
            if entry.chunk == "7" and entry.outcome
            for failure in entry.outcome.failures
        }
        assert told == {0: "left", 1: "left"}
        assert check(here.sink.records(), [Post("<2@posts>", frozenset(everyone[2:]))]).extra == 0
