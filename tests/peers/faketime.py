"""A clock of a process that a test sets, by libfaketime (the Debian package faketime)."""

from __future__ import annotations

from pathlib import Path

import pytest

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
needed = pytest.mark.skipif(LIBRARY is None, reason="libfaketime is absent; apt install faketime")
_LOADED = {
    "LD_PRELOAD": str(LIBRARY),
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # setting a clock does not move it
}


def ahead(offset: str) -> dict[str, str]:
    """The environment of a process whose clock is so far ahead all its life ("+10d")."""
    return {**_LOADED, "FAKETIME": offset}


def followed(clock: Path) -> dict[str, str]:
    """The environment of a process whose clock is as far ahead as this file says at the time."""
    return {**_LOADED, "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
