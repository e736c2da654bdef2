"""How a service ends that was told to."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

TOLD = """
import asyncio, signal
from postroad.runtime import service

async def hangs():
    service._end(asyncio.Event())
    await asyncio.sleep(60)

service.END_SECONDS = 0.01
asyncio.run(hangs())
"""


async def test_who_does_not_come_to_its_end_is_ended() -> None:
    """Whoever might have killed it may be dead, and nobody could start another."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", TOLD), env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert await program.wait() == -signal.SIGALRM
