"""`postroad status` on several relays: one that is dead, and some at their limits."""

from __future__ import annotations

from pathlib import Path

from postroad.runtime.condition import Status
from postroad.runtime.config import Config
from postroad.runtime.status import status
from tests.e2e.sending import Routing, routing
from tests.e2e.system import until


async def look(here: Routing) -> Status:
    """How things are."""
    return await status(Config.load(here.road.config, {}))


async def problems(here: Routing) -> list[str]:
    """What is said to be wrong with relays."""
    return [each for each in (await look(here)).problems if each.startswith("relay ")]


async def test_one_is_dead_and_the_other_takes_its_share(tmp_path: Path) -> None:
    """It is a problem of the relay, not of the copies: nobody is told that they wait. Where no
    relay works any more they do. What went wrong is told with its time, and not for ever."""
    async with routing(tmp_path, {"one": {}, "two": {}}) as here:
        await here.sinks["one"].daemon.stop()
        ref = await here.post(1)
        everyone = [a for n in range(20) for a in await here.queue(ref, n, 5)]
        await here.arrived(everyone)
        (problem,) = await problems(here)
        assert problem.startswith("relay one does not work: ")
        assert problem.endswith("others take what they may of its copies; the rest waits")
        await here.sinks["two"].daemon.stop()
        await here.queue(ref, 20, 5)

        async def both_fail() -> bool:
            found = await problems(here)
            return len(found) == 2 and all(each.endswith("; its copies wait") for each in found)

        await until(both_fail, "both are told to fail")
        sender = (await look(here)).stages[-1]
        assert sender.last_error
        assert sender.last_error_at[11:16] in (await here.road.cli("status")).out
        for sink in here.sinks.values():
            await sink.daemon.start()

        async def forgotten() -> bool:
            return not (await look(here)).stages[-1].last_error

        await until(forgotten, "the error is no longer told")


async def test_both_at_their_limits(tmp_path: Path) -> None:
    """A limit of a day and one of an hour are the same to whoever looks: nothing is wrong, the
    relay is at its limit, the status says until when, and that copies wait."""
    relays = {"one": {"daily": "3"}, "two": {"rate": '"3/h"'}}
    async with routing(tmp_path, relays) as here:
        ref = await here.post(1)
        for number in range(8):
            await here.queue(ref, number, 2)

        async def both_limited() -> bool:
            told = await look(here)
            return all(relay.limited for relay in told.relays) and told.later.copies > 0

        await until(both_limited, "both are at their limits, and copies wait for later")
        told = await look(here)
        assert not await problems(here)
        for relay in told.relays:
            assert relay.ok
            assert "limit of 3 reached; goes on at " in relay.detail
        assert len(here.got()) == 6
        assert (await here.road.cli("status")).out.count("at its limit") == 2
