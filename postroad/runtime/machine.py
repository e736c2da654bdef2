"""What this machine has for us: room on the disk of the state, and a clock that is looked after."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

LEAST = 32 << 20  # bytes free that the broker needs to begin anew
ROOM = 2 * LEAST  # bytes free with fewer of which any disk is nearly full
FULL = 200_000_000  # bytes free below which the next large post may not fit, on a large disk
SCARCE = 2_000_000_000
BROKER = "broker"  # the folder of the state that is the broker's, who tells of it himself
_TIMEX = 512  # octets, more than any struct timex has
_TIME_ERROR = 5  # adjtimex(2): nobody keeps the clock right


def nearest(path: Path) -> Path:
    """A folder, or the nearest above it that there is, and that we may see."""
    for place in (path, *path.parents):
        try:
            if place.exists():
                return place
        except OSError:  # in a folder that is not for us
            continue
    return Path("/")


def room(path: Path) -> tuple[int, int]:
    """Bytes free, and bytes in all, of the disk that a folder is on, or will be where it is not
    made yet; zeros where it cannot be asked."""
    try:
        usage = shutil.disk_usage(nearest(path))
    except OSError:
        return 0, 0
    return usage.free, usage.total


def narrowest(state_dir: Path) -> Path:
    """The folder of the state whose disk has the least room: the broker's may be another."""
    return min(state_dir, state_dir / BROKER, key=lambda path: room(path)[0])


def full_below(total: int) -> int:
    """Bytes free with fewer of which a disk of this size is full."""
    return max(LEAST, min(FULL, total // 20))


def scarce_below(total: int) -> int:
    """Bytes free with fewer of which somebody should make room."""
    return max(ROOM, min(SCARCE, total // 10))


def held(state_dir: Path) -> int:
    """Bytes of all files of the state, but for the broker's."""
    size = 0
    for folder, folders, files in os.walk(state_dir):
        if Path(folder) == state_dir and BROKER in folders:
            folders.remove(BROKER)
        for name in files:
            try:
                size += (Path(folder) / name).lstat().st_size
            except OSError:  # gone meanwhile
                continue
    return size


def synchronised() -> bool | None:
    """Whether the kernel holds its clock to be kept right (by NTP, say); None where it does not
    say, as elsewhere than on Linux."""
    if sys.platform != "linux":
        return None
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR
