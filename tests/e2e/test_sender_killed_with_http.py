"""The sender dies while it posts copies to a provider: what is posted again has its key."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.e2e.examined import section
from tests.e2e.sending import Chunks
from tests.e2e.system import System, until
from tests.peers.httpscript import HttpScript

LANES, KILLS, CHUNKS, SIZE = 4, 2, 8, 40


async def test_the_provider_can_tell_them(tmp_path: Path) -> None:
    """Killed twice in the middle of a fan-out: every recipient's copy has one key, so that a
    provider that heeds it mails nobody twice; posted again are at most one a lane and kill, and
    those are marked."""
    async with HttpScript.start() as server:
        relay = {"name": "out", "kind": "http", "url": server.url, "connections": LANES}
        settings = section("[[relay]]", relay)
        async with System.start(tmp_path, settings, services=("sender",)) as road:
            here = Chunks(road)
            ref = await here.post(1)
            everyone = [a for n in range(CHUNKS) for a in await here.queue(ref, n, SIZE)]

            async def posted() -> bool:
                return len(server.requests) >= wanted

            for kill in range(1, KILLS + 1):
                wanted = kill * len(everyone) // (KILLS + 1)
                await until(posted, f"{wanted} copies are posted")
                await road.kill("sender")
                await road.run("sender")
            await here.finished(CHUNKS)
            marked = await here.marked()
    keys = Counter(
        (each.fields["x-envelope-to"].strip("<>"), each.fields["idempotency-key"])
        for each in server.requests
    )
    assert sorted(address for address, _ in keys) == sorted(everyone)
    assert len({key for _, key in keys}) == len(everyone)
    twice = {address for (address, _), times in keys.items() if times > 1}
    assert keys.total() - len(everyone) <= KILLS * LANES
    assert twice <= set(marked)
