"""The relay ends connections at awkward moments."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.sending import sending
from tests.peers.checker import Post, check
from tests.peers.sink import Rule, Script

MOMENTS = {
    "421 in mid-batch": Rule(
        at="mail", per="connection", after=5, reply="421 4.3.2 bye", close=True, times=1
    ),
    "cut before the final dot": Rule(at="body", after=7, times=2, close=True),
    "cut at the dot, not taken": Rule(at="dot", after=7, times=2, close=True),
    "cut at RCPT": Rule(at="rcpt", after=7, times=2, close=True),
    "451 to the message": Rule(at="dot", after=7, times=2, reply="451 4.3.0 try again"),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("personal", [True, False])
async def test_nothing_is_lost_or_doubled(tmp_path: Path, moment: str, personal: bool) -> None:
    """A connection that ends before a message was taken costs neither a copy nor a second one."""
    script = Script(rules=(MOMENTS[moment],))
    async with sending(tmp_path, script, relay={"retry_after": '"1s"'}) as here:
        ref = await here.post(1)
        everyone = []
        for chunk in range(4):
            everyone += await here.queue(ref, chunk, 100, personal=personal)
        await here.sink.wait_for(400)
        await here.finished(4)
        report = check(here.sink.records(), [Post("<1@posts>", frozenset(everyone))])
        assert report.exact, report


@pytest.mark.parametrize("personal", [True, False])
async def test_a_lost_reply_doubles_one_message_and_says_so(tmp_path: Path, personal: bool) -> None:
    """When the reply to a final dot is lost, that message alone goes out again, marked."""
    script = Script(rules=(Rule(at="dot", after=1, times=1, close=True, record=True),))
    async with sending(tmp_path, script) as here:
        ref = await here.post(1)
        everyone = await here.queue(ref, 0, 300, personal=personal)
        await here.finished(1)
        report = check(here.sink.records(), [Post("<1@posts>", frozenset(everyone))])
        assert not report.lost
        assert report.extra == (1 if personal else 100)
        doubtful = [
            entry.outcome
            for entry in await here.ledger()
            if entry.outcome and entry.outcome.possible_duplicate
        ]
        assert len(doubtful) == 1


async def test_the_relays_own_trouble_blames_nobody(tmp_path: Path) -> None:
    """A quota pauses the relay: everybody stays pending, and gets the copy when it is over."""
    quota = Rule(at="rcpt", after=20, times=3, reply="550 5.4.5 daily sending quota exceeded")
    async with sending(tmp_path, Script(rules=(quota,)), relay={"retry_after": '"1s"'}) as here:
        everyone = await here.queue(await here.post(1), 0, 64)
        await here.sink.wait_for(64)
        assert check(here.sink.records(), [Post("<1@posts>", frozenset(everyone))]).exact
        scopes = {
            failure.scope
            for entry in await here.ledger()
            if entry.outcome
            for failure in entry.outcome.failures
        }
        assert "recipient" not in scopes
