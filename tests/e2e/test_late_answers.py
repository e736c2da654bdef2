"""Domains that answer to a message late, or never: the rest goes on, and nobody has two copies."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

from tests.e2e.sending import Routing, routing
from tests.e2e.system import until
from tests.peers.sink import Rule, Script

GOOD = tuple(f"good{n}.example" for n in range(9))
CHUNKS, SIZE = 24, 40


def slow(seconds: float) -> Script:
    """Its answers to a message take so long."""
    return Script(rules=(Rule(at="dot", match="@a-slow", delay=seconds),))


async def queued(here: Routing, *, personal: bool = True) -> list[str]:
    """Put a post to ten domains on its way: the slow one first in every chunk."""
    ref = await here.post(1)
    return [
        address
        for number in range(CHUNKS)
        for address in await here.queue(
            ref, number, SIZE, personal=personal, domains=("a-slow.example", *GOOD)
        )
    ]


async def others(here: Routing) -> None:
    """Wait until everybody at the other domains has a copy."""

    async def came() -> bool:
        return sum("@good" in address for address in here.got()) >= CHUNKS * SIZE * 9 // 10

    await until(came, "the others came")


async def test_an_answer_that_comes_late(tmp_path: Path) -> None:
    """The others have their copies before; then the ledger says who has one after all, and it
    has named them all the time as those who might get two."""
    async with routing(tmp_path, {"out": {}}, scripts={"out": slow(5)}) as here:
        everyone = await queued(here)
        await others(here)
        await here.tables_agree()
        here.sinks["out"].tell(Script())
        await here.arrived(everyone)
        late = [person for entry in await here.ledger() for person in entry.late]
        assert late
        assert len(late) == len(set(late)) == (await here.marked()).total()
        assert all("@a-slow" in address for address in await here.marked())
        await here.tables_agree()


async def test_a_limit_while_an_answer_is_awaited(tmp_path: Path) -> None:
    """What else keeps a chunk waiting, it does not wait longer than that for: the answer of one
    domain holds up nobody."""
    relay = {"rate": '"400/s"'}
    async with routing(tmp_path, {"out": relay}, scripts={"out": slow(3600)}) as here:
        await queued(here)
        await others(here)
        await here.road.kill("sender")


async def test_a_stop_while_an_answer_is_awaited(tmp_path: Path) -> None:
    """A sender that is told to stop waits for the answers it is owed, and takes them down: the
    next one sends nobody a second copy."""
    async with routing(tmp_path, {"out": {}}, scripts={"out": slow(4)}) as here:
        everyone = await queued(here)
        await others(here)
        await here.road.stop("sender")
        here.sinks["out"].tell(Script())
        await here.road.run("sender")
        await here.arrived(everyone)


async def test_a_domain_that_never_answers_to_a_message(tmp_path: Path) -> None:
    """All others have their copies, and what was sent to it is not sent again; a crash then
    repeats just that, and the ledger names all of them."""
    async with routing(tmp_path, {"out": {}}, scripts={"out": slow(3600)}) as here:
        everyone = await queued(here)
        await others(here)
        first = set(here.got())
        assert len(first) == len(here.got())
        await here.road.kill("sender")
        here.sinks["out"].tell(Script())
        await here.road.run("sender")

        async def settled() -> bool:
            return set(here.got()) == set(everyone) and await here.road.done()

        await until(settled, "nobody waits")
        twice = {address for address, count in Counter(here.got()).items() if count > 1}
        assert twice <= {address for address in first if "@a-slow" in address}
        assert twice <= set(await here.marked())
        assert max(Counter(here.got()).values()) <= 2
        await here.tables_agree()


async def test_a_few_connections_to_a_limited_domain(tmp_path: Path) -> None:
    """A connection that waits for a late answer counts among those its domain may have."""
    limit = '[[relay.destination]]\ndomains = ["a-slow.example"]\nconnections = 1\n'
    script = slow(1.2)
    async with routing(tmp_path, {"out": {}}, scripts={"out": script}, more=limit) as here:
        ref = await here.post(1)
        everyone = []
        for number in range(3):
            everyone += await here.queue(ref, number, 1, domains=("a-slow.example",))
        await here.arrived(everyone)
        taken = sorted(record.time for record in here.sinks["out"].records())
        assert all(later - sooner > 1.1 for sooner, later in pairwise(taken))
