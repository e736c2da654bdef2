"""Work in a thread that no cancelled task stops, and that a process that ends waits for briefly.

asyncio's own threads would be waited for until they are done.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

EXIT_SECONDS = 5.0  # a refresh token that was just rotated should still get to the disk

_working: set[threading.Thread] = set()


async def in_background(work: Callable[[], T]) -> T:
    """What `work` returns or raises. Whoever is cancelled here leaves it at work."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001  for whoever waits
            done.set_exception(error)
        finally:
            _working.discard(threading.current_thread())

    thread = threading.Thread(target=run, name="oauth-renewal", daemon=True)
    _working.add(thread)
    done.set_running_or_notify_cancel()  # from here on it cannot be cancelled
    thread.start()
    return await asyncio.wrap_future(done)


@atexit.register
def _settle() -> None:
    deadline = time.monotonic() + EXIT_SECONDS
    for thread in list(_working):
        thread.join(max(0.0, deadline - time.monotonic()))
