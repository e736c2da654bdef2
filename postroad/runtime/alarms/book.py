"""What was told, in `state_dir/alarms.json`: whoever tells next repeats nothing, and gives the
all-clear for what another raised. A file, because the broker may be what is away.

Beside it `monitor.alive`, whose time of change is the monitor's sign of life.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from postroad.runtime.alarms.standing import Key, Standing
from postroad.runtime.secretfile import private_directory, replace_private

NAME, ALIVE = "alarms.json", "monitor.alive"

_decode = msgspec.json.Decoder(list[Standing]).decode


class Book:
    """The file of one installation."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / NAME
        self._alive = state_dir / ALIVE
        self._unwritten: dict[Key, Standing] | None = None  # what the disk had no room for

    def read(self) -> dict[Key, Standing]:
        """What stands. Nothing where there is no file, or it is damaged: telling twice is better
        than silence."""
        if self._unwritten is not None:
            return self._unwritten
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            return {each.key: each for each in _decode(self.path.read_bytes())}
        return {}

    def write(self, standing: Iterable[Standing]) -> None:
        """Replace it. A disk that is full stops nobody from telling: then it stays as it was, and
        what stands is known here alone."""
        self._unwritten = {each.key: each for each in standing}
        with contextlib.suppress(OSError):
            told = msgspec.json.encode([*self._unwritten.values()])
            replace_private(self.path, msgspec.json.format(told, indent=1))
            self._unwritten = None

    def alive(self) -> None:
        """The monitor is at work."""
        with contextlib.suppress(OSError):
            private_directory(self._alive.parent)
            self._alive.touch(mode=0o600)

    def gone(self) -> None:
        """The monitor stops in order: others need not wait to see that."""
        with contextlib.suppress(OSError):
            self._alive.unlink(missing_ok=True)

    def silent(self) -> float:
        """Seconds since the monitor's last sign of life; infinity where there is none."""
        try:
            return abs(time.time() - self._alive.stat().st_mtime)
        except OSError:
            return float("inf")
