"""The embedded broker as a child of the supervisor: started again whenever it dies or hangs."""

from __future__ import annotations

import asyncio

from postroad.runtime.child import how_it_ended
from postroad.runtime.embedded import EmbeddedBroker
from postroad.runtime.errors import PostroadError
from postroad.runtime.health import Health
from postroad.runtime.restarts import SETTLED_SECONDS
from postroad.runtime.upkeep import Upkeep


async def keep_broker(server: EmbeddedBroker, health: Health) -> None:
    """Start it again whenever it dies, for ever; it runs when this is called."""
    upkeep = Upkeep(health, "broker", "embedded")
    while True:
        assert server.process is not None
        upkeep.started(server.process.pid)
        upkeep.ready()
        try:
            async with asyncio.timeout(SETTLED_SECONDS):
                await server.process.wait()
        except TimeoutError:
            upkeep.settled()
        ended, said = how_it_ended(await server.process.wait()), ""
        while True:
            await asyncio.sleep(upkeep.died(ended, said))
            try:
                await server.start()
            except (PostroadError, OSError) as error:
                ended, said = "did not start", str(error)
            else:
                break


def end(server: EmbeddedBroker) -> None:
    """It is alive and answers nothing: end it, so that it is started again. All that it has
    acknowledged is on disk."""
    if server.process is not None and server.process.returncode is None:
        server.process.kill()
