"""Some recipients are refused: for now, or for good."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.sending import sending
from tests.peers.checker import Post, check
from tests.peers.sink import Rule, Script


async def test_450_comes_back_later_and_550_never(tmp_path: Path) -> None:
    """A 4xx recipient gets the copy by the broker's schedule, once; a 5xx one is recorded and
    not tried again; all others are not touched by it."""
    script = Script(
        rules=(
            Rule(at="rcpt", match="^p0-[37]@", per="subject", times=2, reply="450 4.2.0 later"),
            Rule(at="rcpt", match="^p0-5@", reply="550 5.1.1 p0-5@example.net unknown"),
        )
    )
    async with sending(tmp_path, script, relay={"retry_after": '"1s"'}) as here:
        everyone = await here.queue(await here.post(1), 0, 40)
        await here.finished(3)  # the chunk and two retries
        wanted = frozenset(everyone) - {"p0-5@example.net"}
        report = check(here.sink.records(), [Post("<1@posts>", wanted)])
        assert report.exact, report
        failed = [
            failure
            for entry in await here.ledger()
            if entry.outcome
            for failure in entry.outcome.failures
            if failure.kind == "failed"
        ]
        assert [(f.index, f.code, f.enhanced, f.scope) for f in failed] == [
            (5, 550, "5.1.1", "recipient")
        ]
        assert "@" not in failed[0].text


async def test_shared_copies_defer_one_recipient_alone(tmp_path: Path) -> None:
    """In a shared transaction only the refused recipient waits."""
    script = Script(rules=(Rule(at="rcpt", match="^p0-3@", times=1, reply="450 4.2.0 later"),))
    async with sending(tmp_path, script, relay={"retry_after": '"1s"'}) as here:
        everyone = await here.queue(await here.post(1), 0, 250, personal=False)
        await here.finished(2)
        assert check(here.sink.records(), [Post("<1@posts>", frozenset(everyone))]).exact
        assert len(here.sink.records()) == 4
