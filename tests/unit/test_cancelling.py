"""What is told to end does, whatever comes in the same moment."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

import postroad.runtime.broker  # noqa: F401  whoever talks with the broker has it mended
from postroad.runtime.cancelling import heed


async def test_who_is_cancelled_as_the_answer_comes_is_cancelled() -> None:
    """A task that waits with a limit is cancelled, though what it waits for has just come."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(asyncio.wait_for(answer, 60))
    await asyncio.sleep(0)
    answer.set_result("too late")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize("limit", [None, 60, 0.001, 0, -1])
async def test_an_answer_or_the_end_of_patience(limit: float | None) -> None:
    """What is there is returned whatever the limit; what does not come ends with TimeoutError, and
    is cancelled."""
    loop = asyncio.get_running_loop()
    there: asyncio.Future[str] = loop.create_future()
    there.set_result("there")
    assert await asyncio.wait_for(there, limit) == "there"
    if limit is not None and limit < 1:
        never: asyncio.Future[str] = loop.create_future()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(never, limit)
        assert never.cancelled()


async def test_who_goes_on_after_errors_ends_when_told_so() -> None:
    """An error on the way out hides that the task was cancelled; before the next try that is seen.
    What was cancelled for a limit that is over hides nothing."""
    tries: list[str] = []
    trying = asyncio.Event()

    async def keeps() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.sleep(60)
        while True:
            heed()
            tries.append("once")
            trying.set()
            with contextlib.suppress(ValueError):
                try:
                    await asyncio.sleep(60)
                finally:
                    raise ValueError

    keeping = asyncio.create_task(keeps())
    await trying.wait()
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    assert len(tries) == 1
