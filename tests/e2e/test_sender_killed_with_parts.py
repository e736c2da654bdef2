"""The sender dies while parts of chunks, withheld for their domain's sake, wait in the stream."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.sending import routing
from tests.e2e.system import until
from tests.peers.checker import Post, check
from tests.peers.sink import Rule, Script

LANES, KILLS = 4, 2
DOMAINS = ("good.example", "fine.example", "limited.example")
LIMITED = '[[relay.destination]]\ndomains = ["limited.example"]\nconnections = 1\n'
SLOW = Script(rules=(Rule(at="dot", delay=0.005),))


@pytest.mark.parametrize("personal", [True, False], ids=["personal", "shared"])
async def test_nobody_in_them_is_lost(personal: bool, tmp_path: Path) -> None:
    """Killed again and again, the sender goes on with whole chunks and parts where they stand: a
    kill doubles a message a lane at most, and who has two copies is marked."""
    relay = {"connections": str(LANES), "recipients_per_transaction": "5"}
    async with routing(tmp_path, {"out": relay}, scripts={"out": SLOW}, more=LIMITED) as here:
        ref = await here.post(1)
        everyone = []
        for number in range(4):
            everyone += await here.queue(ref, number, 60, domains=DOMAINS, personal=personal)
        for kill in range(1, KILLS + 1):
            await here.sinks["out"].wait_for(kill * len(everyone) // (KILLS + 1))
            await here.road.kill("sender")
            await here.road.run("sender")

        async def all_came() -> bool:
            return set(here.got()) >= set(everyone) and await here.road.done()

        await until(all_came, "everybody has a copy")
        entries = await here.ledger()
        finished = {entry.chunk for entry in entries if entry.finished}
        # killed just before the limited domain, a chunk serves it itself
        assert {"0", "1", "2", "3"} <= finished == {entry.chunk for entry in entries}
        report = check(here.sinks["out"].records(), [Post("<1@posts>", frozenset(everyone))])
        assert not report.lost
        assert report.extra <= KILLS * LANES * (1 if personal else 5), report
        assert {recipient for _, _, recipient in report.duplicates} <= set(await here.marked())
