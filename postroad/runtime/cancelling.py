"""Tasks that are cancelled end, also on Python 3.11.

There, `asyncio.wait_for` forgets that it was cancelled where what it waits for comes in the same
moment (python/cpython#86296, mended in 3.12). nats-py asks every question by it, so that a task
told to end went on for ever, once in some thousand times: a command that never came back.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def wait_for(awaited: Awaitable[T], timeout: float | None) -> T:
    """As `asyncio.wait_for` since 3.12: raises CancelledError whenever cancelled, TimeoutError."""
    async with asyncio.timeout(timeout):
        return await awaited


def heed() -> None:
    """Raises CancelledError where the running task was cancelled. What goes wrong on the way out
    takes the place of the cancellation: who goes on after errors looks here first."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def mend() -> None:
    """Put it in the place of Python's own, where that one forgets."""
    if sys.version_info < (3, 12):
        asyncio.wait_for = wait_for  # type: ignore[assignment]
