"""Domains behind a relay: limits that hold, and slow or dead ones that delay nobody else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.sending import Routing, routing
from tests.e2e.system import until
from tests.peers.sink import Rule, Script

GOOD = tuple(f"good{n}.example" for n in range(9))


def times(here: Routing, match: str = "") -> list[float]:
    """When the sinks took copies to recipients with this in their address, in order."""
    return sorted(
        record.time
        for sink in here.sinks.values()
        for record in sink.records()
        for recipient in record.recipients
        if match in recipient
    )


def most_within(moments: list[float], seconds: float) -> int:
    """The most that fell into any stretch of this length."""
    return max(sum(1 for later in moments if start <= later < start + seconds) for start in moments)


@pytest.mark.parametrize("connections", [4, 32])
async def test_a_slow_domain_delays_nobody_else(tmp_path: Path, connections: int) -> None:
    """Where each answer about one domain takes long, all others have their copies while most of its
    own are still to come. The status names it; well again, it gets the rest at once."""
    slow = Script(rules=(Rule(at="rcpt", match="@a-slow", delay=1.0),))
    relay = {"out": {"connections": str(connections)}}
    async with routing(tmp_path, relay, scripts={"out": slow}) as here:
        ref = await here.post(1)
        everyone = await here.queue(ref, 99, 40, domains=GOOD)
        await here.arrived(everyone)  # there is something to compare with
        for number in range(24):
            everyone += await here.queue(ref, number, 80, domains=("a-slow.example", *GOOD))

        async def named() -> bool:
            return "a-slow.example slow" in (await here.facts("out"))[1]

        await until(named, "the slow domain is named")
        await until(lambda: _all(here, 40 + 24 * 72, "@good"), "all others came")
        assert len(times(here, "@a-slow")) < 24 * 8 / 2
        assert (await here.facts("out"))[0]
        here.sinks["out"].tell(Script())
        await here.arrived(everyone)


async def test_a_dead_domain_delays_nobody_else(tmp_path: Path) -> None:
    """A recipient about whom the relay never answers costs those behind a quarter of a second,
    and nobody a copy; nothing more is sent to that domain for a while."""
    dead = Script(rules=(Rule(at="rcpt", match="@dead", delay=3600),))
    async with routing(tmp_path, {"out": {}}, scripts={"out": dead}) as here:
        ref = await here.post(1)
        everyone = []
        for number in range(10):
            everyone += await here.queue(ref, number, 40, domains=(*GOOD, "dead.example"))
        good = [address for address in everyone if "@good" in address]

        async def came() -> bool:
            return len(here.got()) >= len(good)

        await until(came, "all others came")
        assert sorted(here.got()) == sorted(good)

        async def waits() -> bool:
            return "dead.example waits" in (await here.facts("out"))[1]

        await until(waits, "the dead domain is left alone")
        assert (await here.facts("out"))[0]


@pytest.mark.parametrize("personal", [True, False])
async def test_most_domains_are_dead(tmp_path: Path, personal: bool) -> None:
    """However many domains do not answer, the others have their copies soon."""
    dead = tuple(f"{'az'[n % 2]}-dead{n}.example" for n in range(6))
    silent = Script(rules=(Rule(at="rcpt", match="-dead", delay=3600),))
    async with routing(tmp_path, {"out": {}}, scripts={"out": silent}) as here:
        ref = await here.post(1)
        for number in range(16):
            await here.queue(ref, number, 60, personal=personal, domains=(*dead, *GOOD[:4]))
        await until(lambda: _all(here, 16 * 24, "@good"), "all others came")
        assert len(here.got()) == len(set(here.got()))


async def test_a_dead_domain_among_limited_ones(tmp_path: Path) -> None:
    """Domains that share limits do not share their troubles."""
    limit = '[[relay.destination]]\ndomains = ["*.example"]\nconnections = 2\n'
    dead = Script(rules=(Rule(at="rcpt", match="@a-dead", delay=3600),))
    async with routing(tmp_path, {"out": {}}, scripts={"out": dead}, more=limit) as here:
        ref = await here.post(1)
        for number in range(4):
            await here.queue(ref, number, 40, domains=("a-dead.example", *GOOD))
        await until(lambda: _all(here, 4 * 36, "@good"), "all others came")


async def test_a_domain_that_refuses_again_and_again(tmp_path: Path) -> None:
    """After twenty refusals in a row a domain is asked no more; who was not asked is owed a copy
    all the same."""
    later = Rule(at="rcpt", match="@dead", reply="450 4.4.1 connection timed out")
    async with routing(tmp_path, {"out": {}}, scripts={"out": Script(rules=(later,))}) as here:
        ref = await here.post(1)
        everyone = await here.queue(ref, 0, 100, domains=("dead.example", "good.example"))
        await until(lambda: _all(here, 50), "the others came")

        async def waits() -> bool:
            return "dead.example waits" in (await here.facts("out"))[1]

        await until(waits, "the domain is left alone")
        failures = [f for e in await here.ledger() if e.outcome for f in e.outcome.failures]
        assert {f.index for f in failures} == {
            index for index, address in enumerate(everyone) if "@dead" in address
        }
        asked = [failure for failure in failures if failure.scope == "recipient"]
        assert 20 <= len(asked) < 50
        assert all(failure.kind == "deferred" for failure in failures)


async def _all(here: Routing, count: int, match: str = "") -> bool:
    return sum(match in address for address in here.got()) >= count


async def test_rates_hold(tmp_path: Path) -> None:
    """A relay's rate a second, and that of a domain behind it, hold in any second, as the relay
    saw it; others are not slowed down by the domain's."""
    relay = {"rate": '"60/s"'}
    domain = '[[relay.destination]]\ndomains = ["limited.example", "also.example"]\nrate = "6/s"\n'
    async with routing(tmp_path, {"out": relay}, more=domain) as here:
        ref = await here.post(1)
        domains = (*GOOD, "limited.example", "also.example")
        everyone = []
        for number in range(4):
            everyone += await here.queue(ref, number, 44, domains=domains)
        everyone += await here.queue(ref, 9, 11, domains=domains, lane="now")
        await here.arrived(everyone)
        assert most_within(times(here), 0.95) <= 60
        limited = sorted([*times(here, "@limited"), *times(here, "@also")])
        assert len(limited) == 4 * 8 + 2
        assert most_within(limited, 0.95) <= 6
        good = times(here, "@good")
        assert good[-1] < limited[-1]
        assert {e.destination for e in await here.ledger() if e.destination} == {"limited.example"}


async def test_a_connection_serves_window_after_window(tmp_path: Path) -> None:
    """A lane keeps its connection for all windows of its chunks, those of its first one too; a
    relay nearby gets four or so, and never more than the settings allow."""
    async with routing(tmp_path, {"out": {"connections": "8"}}) as here:
        ref = await here.post(1)
        everyone = [a for n in range(20) for a in await here.queue(ref, n, 100)]
        await here.arrived(everyone)
        used = {record.connection for record in here.sinks["out"].records()}
        assert len(used) <= 8


async def test_warming_up(tmp_path: Path) -> None:
    """On its first day a relay gets what that day allows, also across a restart; another relay
    takes the rest."""
    today = datetime.now(UTC).date().isoformat()
    relays = {
        "new": {"warm_up": "[7, 7, 500]", "warm_up_from": today, "weight": "1000000"},
        "old": {},
    }
    async with routing(tmp_path, relays) as here:
        ref = await here.post(1)
        everyone = [a for n in range(5) for a in await here.queue(ref, n, 10)]
        await here.arrived(everyone)
        assert len(here.got("new")) == 7
        await here.road.kill("sender")
        await here.road.run("sender")
        everyone += [a for n in range(5, 8) for a in await here.queue(ref, n, 10)]
        await here.arrived(everyone)
        assert len(here.got("new")) == 7
        ok, detail = await here.facts("new")
        assert ok
        assert detail.startswith("daily limit of 7 reached; goes on at ")
