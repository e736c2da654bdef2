"""A relay that failed, and that nobody needed since, is asked now and then whether it works again:
else a stand-by would be told as failing until the day it is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from postroad.runtime.errors import PostroadError, Retry
from postroad.runtime.health import Health
from postroad.runtime.later import limits
from services.sender.lanes import Lanes

ASKED = ("smtp", "lmtp")  # kinds that say whether they work before there is mail
UNUSED = 30.0  # seconds behind a pause in which nobody tried the relay


async def look_after(relays: Mapping[str, Lanes], health: Health) -> None:
    """Ask, for ever; `relays` by name. A login that works is taken for an answer."""
    while True:
        await asyncio.sleep(UNUSED)
        for name, lanes in relays.items():
            ours = limits(lanes.trouble)  # a limit that we keep: no login says that it is over
            if lanes.unused(UNUSED) and not ours and await _answers(lanes):
                lanes.succeeded()
                lanes.trouble = ""
                unused = "not used since it failed"
                health.report("relay", name, ok=True, detail=unused, paused_until="")


async def _answers(lanes: Lanes) -> bool:
    try:
        async with lanes.lend(urgent=False) as lane:
            await lanes.open(lane)
    except PostroadError:
        lanes.pause()
        return False
    except Retry:  # somebody else tries it, or the broker is away
        return False
    return True
