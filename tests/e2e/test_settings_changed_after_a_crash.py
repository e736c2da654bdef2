"""The sender dies in a window, and before it starts again the settings send mail another way."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.e2e.sending import routing


async def test_a_relay_for_their_domain_is_named_meanwhile(tmp_path: Path) -> None:
    """A small chunk has nothing in the ledger while it is sent; who had their copy by the old way
    gets none by the new one, though the ways of the chunk's recipients part now."""
    async with routing(tmp_path, {"one": {}, "two": {"weight": "0"}}) as here:
        await here.road.kill("sender")
        await here.road.run("sender", crashpoint="sender.after_dot:6")
        ref = await here.post(1)
        everyone = await here.queue(ref, 0, 12, lane="now", domains=("a.example", "b.example"))
        await here.road.died("sender")
        settings = here.road.config.read_text()
        own = 'name = "two"\ndomains = ["b.example"]'
        here.road.config.write_text(settings.replace('name = "two"', own))
        await here.road.run("sender")
        await here.finished(2)  # the chunk, and the part of it that goes the other way
        got = Counter(here.got())
        assert set(got) == set(everyone)
        assert got.total() <= len(everyone) + 1, "more than the copy whose dot was not answered"
        assert all(address.endswith("b.example") for address in here.got("two"))
