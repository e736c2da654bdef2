"""The lanes of a relay: how long trouble pauses it, and who goes first."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from postroad.runtime.config import Relay
from postroad.runtime.errors import Busy, Retry
from services.sender.lanes import LONGEST, LONGEST_LASTING, Lane, Lanes
from services.sender.width import FEWEST


def lanes(connections: int = 1) -> Lanes:
    """Lanes of a relay that nobody connects to here."""
    return Lanes(Relay(host="relay.example.org", connections=connections))


async def test_lanes_that_fail_together_are_one_failure() -> None:
    """Four connections cut in the same moment pause the relay no longer than one."""
    relay = lanes(4)
    first = relay.pause()
    assert [round(relay.pause()) for _ in range(3)] == [round(first)] * 3
    with pytest.raises(Retry, match="paused"):
        relay.check()


async def test_a_pause_has_an_end_after_any_number_of_failures() -> None:
    """Days of failures neither overflow nor make the relay be forgotten."""
    relay = lanes()
    for _ in range(5000):
        relay._paused_until = 0.0
        seconds = relay.pause()
    assert round(seconds) == LONGEST
    relay._paused_until = 0.0
    assert round(relay.pause(longest=LONGEST_LASTING)) == LONGEST_LASTING
    relay.succeeded()
    relay.check()


async def test_small_posts_go_before_large_ones() -> None:
    """Who waits for a lane with a small post gets it first, whoever came first."""
    relay = lanes()
    served: list[str] = []

    async def use(name: str, *, urgent: bool) -> None:
        async with relay.lend(urgent=urgent):
            served.append(name)

    async with relay.lend(urgent=False):
        bulk = asyncio.create_task(use("bulk", urgent=False))
        await asyncio.sleep(0)
        now = asyncio.create_task(use("now", urgent=True))
        await asyncio.sleep(0)
    await asyncio.gather(bulk, now)
    assert served == ["now", "bulk"]


async def test_the_last_lane_is_kept() -> None:
    """Where no other lane is connected, trouble is the relay's and not about how many we are."""
    relay = lanes(4)
    async with relay.lend(urgent=True) as lane:
        assert not relay.fewer(lane)


async def test_one_lane_tries_a_relay_that_failed() -> None:
    """Were all to come back from a pause at once, a relay that wants fewer would turn away all."""
    relay = lanes(4)
    relay.pause()
    with pytest.raises(Retry, match="paused"):
        async with relay.lend(urgent=False):
            pass
    relay._paused_until = 0.0
    async with relay.lend(urgent=False):
        with pytest.raises(Retry, match="being tried"):
            relay.check()
        relay.succeeded()
        async with relay.lend(urgent=False):
            relay.check()


async def test_sick_domains_give_way() -> None:
    """They have one connection in ten, one at least, and whoever waits for it gets it in turn; when
    all others are in use and another chunk waits, they have to leave it."""
    relay = lanes(4)
    async with contextlib.AsyncExitStack() as stack:

        def lent(*, sick: bool = False) -> asyncio.Task[Lane]:
            lane = stack.enter_async_context(relay.lend(urgent=False, sick=sick))
            return asyncio.create_task(lane)

        async with relay.lend(urgent=False, sick=True):
            waiting = lent(sick=True)
            await asyncio.sleep(0)
            with pytest.raises(Busy, match="sick domains"):
                await lent(sick=True)
        await waiting
        for _ in range(3):
            await lent()
        crowded = [relay.crowded(None)]
        other = lent()
        await asyncio.sleep(0)
        crowded.append(relay.crowded(None))
        await stack.aclose()
        await other
        crowded.append(relay.crowded(None))
    assert crowded == [False, True, False]


async def test_a_lane_that_a_domain_held_up() -> None:
    """Another works in its place; afterwards it works for others again."""
    relay = lanes(2 * FEWEST)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(FEWEST):
            held = await stack.enter_async_context(relay.lend(urgent=False))
        more = asyncio.create_task(stack.enter_async_context(relay.lend(urgent=False)))
        await asyncio.sleep(0)
        waited = not more.done()
        relay.held_up(held)
        await more
        relay.goes_on(held)
        assert waited
        assert not held.apart
    assert (relay._working, relay._apart) == (0, 0)
