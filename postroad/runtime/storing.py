"""The embedded broker, after it could not write: it stores nothing more in that stream until it is
started anew, also when there is room again (measured, NATS 2.15.1; its log says which write).

The log may have no room either, so that the disk is looked at as well.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import structlog

from postroad.runtime import machine
from postroad.runtime.embedded import EmbeddedBroker
from postroad.runtime.health import Health

LOOK_SECONDS = 2.0
EMPTY = 1 << 20  # octets free; with fewer a line of the log may have had no place
ROOM = machine.LEAST  # octets free to begin anew with
_SAID = (b"critical write error", b"will be disabled")

log = structlog.get_logger()


class Writing:
    """Whether a broker must be started anew: what its log in `home` says from now on, and the
    octets that are free (`room`)."""

    def __init__(self, home: Path, room: Callable[[], int]) -> None:
        self.failed = False
        self._log = home / "nats.log"
        self._room = room
        self._place = self._size()

    def look(self) -> bool:
        """Whether it cannot write and there is room to start it anew; sets `failed`."""
        free, news = self._room(), self._news()
        if free < EMPTY or any(words in news for words in _SAID):
            self.failed = True
        return self.failed and free >= ROOM

    def anew(self) -> None:
        """It was started anew."""
        self.failed = False
        self._place = self._size()

    def _news(self) -> bytes:
        try:
            with self._log.open("rb") as file:
                file.seek(self._place)
                told = file.read()
        except OSError:
            return b""
        end = told.rfind(b"\n") + 1
        self._place += end
        return told[:end].lower()

    def _size(self) -> int:
        with contextlib.suppress(OSError):
            return self._log.stat().st_size
        return 0


async def keep_storing(server: EmbeddedBroker, health: Health) -> None:
    """Have the broker end, once there is room, after it could not write; who keeps it running
    starts it anew. For ever."""
    writing = Writing(server.home, lambda: machine.room(server.home)[0])
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        anew = writing.look()
        health.report(
            "storage",
            "broker",
            ok=not writing.failed,
            detail="it cannot write; make room on its disk, and it goes on" * writing.failed,
        )
        if anew:
            log.warning("broker.started_anew", why="it could not write, and there is room again")
            await server.stop()
            writing.anew()
