"""A copy has not come: whoever asks after the post reads why, and when it is tried again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.system import World, mail, until, world
from tests.peers.sink import Rule, Script

FULL = Script(rules=(Rule(at="rcpt", match="^bob@", reply="452 4.2.2 bob@two.example is full"),))


async def waits(here: World, number: int) -> list[dict[str, Any]]:
    """Why copies of the post <number@posts> wait; nothing where it is not a post yet."""
    shown = (await here.road.cli("post", "show", f"<{number}@posts>", "--json")).json
    if not shown.get("lists"):
        return []
    (fate,) = shown["lists"]
    assert fate["waiting"] == sum(wait["copies"] for wait in fate["waits"])
    return list(fate["waits"])


async def test_for_a_refusal_a_dead_relay_and_a_sender_that_is_gone(tmp_path: Path) -> None:
    """Each reason is told in plain words, with how many wait for it, and the time where the broker
    keeps it; without an address. The trace folds tries that failed alike."""
    async with world(tmp_path, script=FULL) as here:
        await here.road.make_list("team@example.org", ["anna@one.example", "bob@two.example"])
        here.post(mail(1))
        await here.sink.wait_for(1)
        await here.road.settled(1)
        (refused,) = await waits(here, 1)
        assert (refused["copies"], refused["why"]) == (1, "the mailbox is full (452 4.2.2)")
        assert refused["next"]
        shown = (await here.road.cli("post", "show", "<1@posts>")).out
        assert "  1 waiting: the mailbox is full (452 4.2.2); tried again at " in shown
        later = (await here.road.cli("status", "--json")).json["later"]
        assert (later["copies"], later["next"]) == (1, refused["next"])

        await here.sink.daemon.stop()
        here.post(mail(2))
        dead = f"relay out does not work: relay 127.0.0.1:{here.sink.port}"

        async def told(start: str, end: str) -> bool:
            found = await waits(here, 2)
            return [
                (w["copies"], w["why"].startswith(start), w["why"].endswith(end)) for w in found
            ] == [(2, True, True)]

        async def is_dead() -> bool:
            return await told(dead, "tried again by itself, within 5 minutes")

        await until(is_dead, "the relay is told to be dead")

        async def folded() -> bool:
            drawn = (await here.road.cli("trace", "<2@posts>")).out
            tries = [line for line in drawn.splitlines() if "! Retry" in line]
            assert len(tries) <= 1
            return bool(tries) and "sender.chunk ×" in tries[0]

        await until(folded, "the trace has one line for all tries")
        await here.road.kill("sender")
        assert await told("the sender does not answer", "")
