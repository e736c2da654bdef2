"""The broker dies while chunks are split among two relays, and comes back on the same store."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.sending import routing
from tests.peers.sink import Rule, Script

DOMAINS = ("example.net", "gmail.com")
SLOW = Script(rules=(Rule(at="dot", delay=0.005),))
RELAYS = {"all": {}, "google": {"domains": '["gmail.com"]'}}


async def test_every_copy_goes_its_way_once(tmp_path: Path) -> None:
    """Killed twice, with ledger entries and parts of chunks on their way to it: nobody is lost or
    doubled, nobody is marked, and each relay has its own recipients."""
    async with routing(tmp_path, RELAYS, scripts=dict.fromkeys(RELAYS, SLOW)) as here:
        ref = await here.post(1)
        everyone = [a for n in range(8) for a in await here.queue(ref, n, 50, domains=DOMAINS)]
        for relay, copies in (("all", 40), ("google", 120)):
            await here.sinks[relay].wait_for(copies)
            await here.road.kill_broker()
        await here.arrived(everyone)
        assert all(address.endswith("gmail.com") for address in here.got("google"))
        assert len(here.got("google")) == len(everyone) / 2
        assert not await here.marked()
