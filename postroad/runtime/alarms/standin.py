"""The supervisor stands in for the monitor while that gives no sign of life, or is not to run. And
it tells the monitor of a broker that keeps dying, over which they cannot hear each other."""

from __future__ import annotations

import asyncio
import contextlib

from postroad.runtime.alarms.table import broker_dying
from postroad.runtime.alarms.watch import LOOK_SECONDS, Watch
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.health import Health

ALIVE_SECONDS = 30.0  # without a sign of life for so long, somebody else looks
START_SECONDS = 60.0  # in which a monitor may begin, on a machine that is busy
AWAY = (
    "gives no sign of life; the supervisor raises alarms meanwhile, but nobody answers on "
    "[telemetry] port"
)


async def stand_in(
    config: Config, broker: Broker, health: Health | None = None, *, expected: bool
) -> None:
    """Look and tell for ever, whenever nobody else does. `expected`: a monitor is to run beside."""
    watch = Watch(config, broker, health)
    watch.acting = not expected
    loop = asyncio.get_running_loop()
    began = loop.time()

    def away() -> bool:
        started = loop.time() - began > START_SECONDS
        return expected and started and watch.book.silent() > ALIVE_SECONDS

    watch.watchman = lambda: AWAY if away() else ""
    async with watch.hearing():
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            watch.acting = away() or not expected
            with contextlib.suppress(Exception):  # it looks again in a moment
                if health is not None:
                    watch.note(broker_dying(health.answer()))
                if watch.acting:
                    await watch.look()
