"""What is told of a relay while windows are under way."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from postroad.runtime.config import Relay
from postroad.runtime.health import Health
from services.sender.lanes import Lane, Lanes
from services.sender.watch import Watch


async def test_a_connection_alone_does_not_say_that_the_relay_works() -> None:
    """A relay that takes our login may refuse our mail: until it took something the alarm of a
    sender before us is neither repeated nor over."""
    relay = Relay(name="out", host="relay.example.org")
    lanes, health = Lanes(relay), Health("sender")
    told: list[bool] = []
    health.tell = lambda fact: told.append(fact.ok)
    health.report("relay", "out", ok=True, detail="not used yet", untried=True)
    context: Any = SimpleNamespace(health=health, stopping=asyncio.Event())
    event: Any = SimpleNamespace(
        copy=SimpleNamespace(personal=False, raw=SimpleNamespace(size=1)), chunk="1"
    )
    route: Any = SimpleNamespace(lanes=lanes)
    watch = Watch(context, relay, route, cast("Lane", None), event)
    watch.tell()
    (fact,) = health.answer().facts
    assert (fact.untried, told) == (True, [])
    lanes.succeeded()
    watch.tell()
    (fact,) = health.answer().facts
    assert (fact.untried, told) == (False, [True])
