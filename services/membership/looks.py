"""What is due by time is looked for again and again, beside what mail and commands ask for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime

from postroad.runtime.clock import now
from postroad.runtime.errors import Conflict, Retry


async def again_and_again(
    look: Callable[[datetime], Awaitable[None]],
    every: float,
    stopping: asyncio.Event,
    tell: Callable[[str], None],
) -> None:
    """Look now and every so many seconds, until told to stop. A bug is not worth the service: what
    kind it is goes to `tell`, and the next look comes as ever."""
    while not stopping.is_set():
        try:
            await look(now())
        except (Conflict, Retry):  # another instance does it, or the next look will
            pass
        except Exception as bug:  # noqa: BLE001
            tell(type(bug).__name__)
        await stopped(stopping, every)


async def stopped(stopping: asyncio.Event, seconds: float) -> bool:
    """Whether we are told to stop within so many seconds."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
    return stopping.is_set()
