"""Who was erased, by keys alone, in a file that outlives the machine: a restore erases them again.

A line is JSON: when, and the keys of the addresses, which say nothing without the site's key.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from postroad.runtime.clock import now


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One erasure; `at` is RFC 3339."""

    at: str
    keys: tuple[str, ...]


def note(path: Path, keys: tuple[str, ...]) -> None:
    """Append one, on disk when it returns. Raises OSError."""
    line = msgspec.json.encode(Note(at=now().isoformat(timespec="seconds"), keys=keys)) + b"\n"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line)
        os.fsync(handle)
    finally:
        os.close(handle)
