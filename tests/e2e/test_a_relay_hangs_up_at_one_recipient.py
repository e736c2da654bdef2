"""A relay that ends the session whenever one recipient is named: nobody else waits for that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.sending import routing
from tests.peers.sink import Rule, Script

POISON = "p1-8@one.example"
MOMENTS = {
    "cut": Rule(at="rcpt", match=f"^{POISON}$", close=True),
    "cut at the dot": Rule(at="dot", match=f"(^| ){POISON}( |$)", close=True),
    "421": Rule(at="rcpt", match=f"^{POISON}$", reply="421 4.3.2 go away", close=True),
}


@pytest.mark.parametrize("personal", [True, False])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_all_others_have_their_copy(tmp_path: Path, moment: str, personal: bool) -> None:
    """Those behind it in its chunk, other chunks and the next post go on; it alone waits, and
    the relay counts as working."""
    relay = {"out": {"connections": "2", "retry_after": '"1s"'}}
    script = Script(rules=(MOMENTS[moment],))
    async with routing(tmp_path, relay, scripts={"out": script}) as here:
        ref = await here.post(1)
        everyone: list[str] = []
        for chunk in range(3):
            domains = ("one.example", "two.example")
            everyone += await here.queue(ref, chunk, 40, personal=personal, domains=domains)
        everyone += await here.queue(await here.post(2), 9, 20, lane="now")
        everyone.remove(POISON)
        await here.arrived(everyone)
        assert (await here.facts("out"))[0]
        assert POISON not in here.got()


async def test_a_chunk_alone_goes_on_too(tmp_path: Path) -> None:
    """With no other copy to tell that the relay works, the others of the chunk are tried first."""
    relay = {"out": {"connections": "1", "retry_after": '"1s"'}}
    rule = Rule(at="rcpt", match="^p0-0@", close=True)
    async with routing(tmp_path, relay, scripts={"out": Script(rules=(rule,))}) as here:
        everyone = await here.queue(await here.post(1), 0, 30)
        everyone.remove("p0-0@example.net")
        await here.arrived(everyone)
