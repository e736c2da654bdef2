"""`[[relay.destination]]`: a domain that has had what it may get keeps nobody else waiting."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.sending import Routing, routing
from tests.e2e.system import mail, until, world
from tests.e2e.test_destinations import most_within, times
from tests.peers.sink import Rule, Script

DOMAINS = ("good.example", "limited.example")


def limited(limit: str) -> str:
    """Settings for the domain that are one limit."""
    return f'[[relay.destination]]\ndomains = ["limited.example"]\n{limit}\n'


async def came(here: Routing, good: int, of_limited: int) -> None:
    """Wait until so many copies have come, and nothing else is on its way."""

    async def all_came() -> bool:
        counts = [len(times(here, f"@{name}.")) for name in ("good", "limited")]
        return counts == [good, of_limited] and await here.road.idle()

    await until(all_came, f"{good} copies and {of_limited} of the limited domain came")


@pytest.mark.parametrize("limit", ['rate = "10/h"', "daily = 10"])
async def test_more_than_an_hour_or_a_day_allows(limit: str, tmp_path: Path) -> None:
    """The domain gets that many and not one more, however often the sender starts again; all others
    have their copies at once. The rest waits in the broker, the status says until when, and it goes
    out once more is allowed."""
    async with routing(tmp_path, {"out": {}}, more=limited(limit)) as here:
        ref = await here.post(1)
        everyone = [a for n in range(3) for a in await here.queue(ref, n, 20, domains=DOMAINS)]
        await came(here, 30, 10)
        assert await here.road.retries()
        await here.road.kill("sender")
        await here.road.run("sender")
        everyone += await here.queue(ref, 3, 20, domains=DOMAINS)
        await came(here, 40, 10)
        ok, detail = await here.facts("out")
        assert ok
        assert detail.startswith("limit of 10 for limited.example reached; goes on at ")
        await here.road.kill("sender")
        settings = here.road.config.read_text()
        here.road.config.write_text(settings.replace(limit, limit.replace("10", "1000")))
        await here.road.run("sender")
        await here.hurry()
        await here.arrived(everyone)


async def test_connections(tmp_path: Path) -> None:
    """A domain with a limit of connections never has one more, of the many that the relay has."""
    slow = Script(rules=(Rule(at="dot", match="@limited", delay=0.05),))
    async with routing(
        tmp_path,
        {"out": {"connections": "8"}},
        scripts={"out": slow},
        more=limited("connections = 2"),
    ) as here:
        ref = await here.post(1)
        everyone = [a for n in range(6) for a in await here.queue(ref, n, 20, domains=DOMAINS)]
        await here.arrived(everyone)
        assert most_within(times(here, "@limited"), 0.045) <= 2
        assert times(here, "@good")[-1] < times(here, "@limited")[-1]


async def test_who_waits_is_seen(tmp_path: Path) -> None:
    """Whoever asks after the post sees who waits and why, and in the status until when."""
    limit = '[{ domains = ["limited.example"], daily = 2 }]'
    people = [f"m{n}@{domain}" for n in range(4) for domain in DOMAINS]
    async with world(tmp_path, relay={"destination": limit}) as here:
        await here.road.make_list("team@example.org", people)
        here.post(mail(1))
        await here.sink.wait_for(6)
        await here.road.settled(1)
        shown = (await here.road.cli("post", "show", "<1@posts>")).out
        assert "8 recipients, 6 accepted, 0 failed, 2 waiting" in shown
        limit = "relay out: limit of 2 for limited.example reached; goes on at "
        told = " ".join(shown.split())  # lines end at 100 columns
        assert f"2 waiting: {limit}" in told
        assert "; tried again at " in told
        waiting = [line for line in shown.splitlines() if line.startswith("  deferred ")]
        assert len(waiting) == 2
        assert all(f"@limited.example: {limit}" in line for line in waiting)
        status = await here.road.cli("status")
        assert status.code == 0
        assert "limit of 2 for limited.example reached" in " ".join(status.out.split())
        await here.road.kill("sender")
        await here.road.run("sender")
        await here.road.ready()
        told = (await here.road.cli("post", "show", "<1@posts>", "--json")).json
        (wait,) = told["lists"][0]["waits"]
        assert wait["copies"] == 2
        assert wait["why"].startswith(limit)
        assert wait["next"] > told["received"]
        later = (await here.road.cli("status", "--json")).json["later"]
        assert (later["copies"], later["chunks"], later["next"]) == (2, 1, wait["next"])
        (reason,) = later["reasons"]
        assert (reason["relay"], reason["copies"], reason["chunks"]) == ("out", 2, 1)
        assert reason["why"] in limit + wait["why"]
        shown = (await here.road.cli("status")).out
        assert "waiting for later: 2 copies in 1 chunk; the next of them at " in shown
