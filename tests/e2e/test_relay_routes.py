"""Several relays: who gets which copies, and who steps in."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.sending import routing
from tests.e2e.system import until
from tests.peers.sink import Rule, Script

MIXED = ("example.net", "gmail.com", "a.example.org")


async def test_by_weight_and_by_recipient(tmp_path: Path) -> None:
    """Recipients of a relay's own domains go there, all others to those without, by weight; who
    weighs nothing gets nothing while another works; each copy comes once."""
    relays = {
        "one": {"weight": "3"},
        "two": {},
        "spare": {"weight": "0"},
        "google": {"domains": '["gmail.com", "*.example.org"]'},
    }
    async with routing(tmp_path, relays) as here:
        ref = await here.post(1)
        everyone = [
            address
            for number in range(40)
            for address in await here.queue(ref, number, 6, domains=MIXED, personal=number % 2 == 0)
        ]
        await here.arrived(everyone)
        assert sorted(here.got("google")) == sorted(
            address for address in everyone if not address.endswith("example.net")
        )
        shares = Counter({name: len(here.got(name)) for name in ("one", "two", "spare")})
        assert shares["spare"] == 0
        assert shares["one"] > shares["two"] > 0
        split = [entry for entry in await here.ledger() if entry.split]
        assert len(split) == 40
        assert not any(entry.outcome or entry.intent for entry in split)
        await here.tables_agree()


async def test_by_the_lists_domain(tmp_path: Path) -> None:
    """A domain of lists may name its relay; small posts and large ones go there."""
    own = '[[domain]]\nname = "lists.example.com"\nrelay = "two"\n'
    async with routing(tmp_path, {"one": {}, "two": {"weight": "0"}}, more=own) as here:
        ref = await here.post(1)
        theirs = await here.queue(ref, 0, 5, lane="now", list_address="a@lists.example.com")
        theirs += await here.queue(ref, 1, 40, list_address="a@lists.example.com")
        others = await here.queue(ref, 2, 5, lane="now")
        await here.arrived([*theirs, *others])
        assert sorted(here.got("two")) == sorted(theirs)


async def test_one_that_is_down_and_comes_back(tmp_path: Path) -> None:
    """While a relay refuses, the others take its share, in mid-chunk too; when it works again it
    gets its share again. Nothing is lost or doubled."""
    bye = Script(rules=(Rule(at="mail", after=20, reply="421 4.3.2 Service shutting down"),))
    async with routing(tmp_path, {"one": {}, "two": {}}, scripts={"one": bye}) as here:
        ref = await here.post(1)
        everyone = [a for n in range(12) for a in await here.queue(ref, n, 50)]
        await here.arrived(everyone)
        assert len(here.got("one")) <= 20
        assert not (await here.facts("one"))[0]
        here.sinks["one"].tell(Script())
        number = 12

        async def works_again() -> bool:
            nonlocal number
            everyone.extend(await here.queue(ref, number, 2))
            number += 1
            return (await here.facts("one"))[0]

        await until(works_again, "relay one is tried again")
        before = len(here.got("one"))
        everyone += [a for n in range(200, 212) for a in await here.queue(ref, n, 20)]
        await here.arrived(everyone)
        assert len(here.got("one")) > before


async def test_only_their_own_relay_waits(tmp_path: Path) -> None:
    """Recipients whose only relay is down wait for it; the others of the same chunks have their
    copies meanwhile."""
    quota = Rule(at="mail", reply="550 5.4.5 Daily user sending limit exceeded")
    relays = {"all": {}, "google": {"domains": '["gmail.com"]'}}
    async with routing(tmp_path, relays, scripts={"google": Script(rules=(quota,))}) as here:
        ref = await here.post(1)
        everyone = [a for n in range(8) for a in await here.queue(ref, n, 30, domains=MIXED)]
        others = [address for address in everyone if not address.endswith("gmail.com")]

        async def came() -> bool:
            return len(here.got()) >= len(others)

        await until(came, "the others came")
        assert sorted(here.got()) == sorted(others)
        here.sinks["google"].tell(Script())
        await here.arrived(everyone)


@pytest.mark.parametrize(
    "crashpoint",
    ["sender.before_split:2", "sender.after_split:2", "sender.after_parts:2"],
)
async def test_killed_while_it_splits(crashpoint: str, tmp_path: Path) -> None:
    """A sender that dies before, between and after the two writes of a split loses nobody, and
    doubles nobody: nothing was sent yet."""
    relays = {"all": {}, "google": {"domains": '["gmail.com"]'}}
    silent = Script(rules=(Rule(at="connect", reply=""),))
    async with routing(tmp_path, relays, scripts=dict.fromkeys(relays, silent)) as here:
        await here.road.kill("sender")
        await here.road.run("sender", crashpoint=crashpoint)
        ref = await here.post(1)
        everyone = [a for n in range(4) for a in await here.queue(ref, n, 24, domains=MIXED)]
        await here.road.died("sender")
        for sink in here.sinks.values():
            sink.tell(Script())
        await here.road.run("sender")
        await here.arrived(everyone)
