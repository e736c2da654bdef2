"""The file system of state_dir, and some syncs of a file there that has no name."""

from __future__ import annotations

import os
import re
import tempfile
import time
from pathlib import Path

from postroad.cli.doctor.judge.disk import Disk
from postroad.runtime.config import Config
from postroad.runtime.machine import nearest

SYNCS = 20
PATIENCE = 2.0  # seconds for all of them
OCTETS = 4096


def look(config: Config) -> Disk:
    """The file system of state_dir, or of the nearest folder above it that exists."""
    place = nearest(config.site.state_dir)
    kind, options = _mounted(place)
    facts = os.statvfs(place)
    return Disk(
        path=str(place),
        kind=kind,
        options=options,
        inodes=facts.f_favail if facts.f_files else None,
        muted="eatmydata" in os.environ.get("LD_PRELOAD", ""),
    )


def syncs(config: Config) -> tuple[str, list[float], str]:
    """The folder, how long each sync of 4 KB there took, in seconds, and why none was made."""
    place = nearest(config.site.state_dir)
    taken: list[float] = []
    until = time.monotonic() + PATIENCE
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            while len(taken) < SYNCS and time.monotonic() < until:
                file.write(bytes(OCTETS))
                file.flush()
                began = time.perf_counter()
                os.fsync(file.fileno())
                taken.append(time.perf_counter() - began)
    except OSError as error:
        return str(place), [], (error.strerror or "cannot be written").lower()
    return str(place), taken, ""


def _mounted(place: Path) -> tuple[str, frozenset[str]]:
    """Kind and options of the mount that a folder is on (proc(5), mountinfo)."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "", frozenset()
    here, found, length = str(place.resolve()), ("", frozenset[str]()), -1
    for line in lines:
        own, _, rest = line.partition(" - ")
        fields, (kind, _, options) = own.split(), rest.split(" ", 2)
        point = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        if (here == point or here.startswith(point.rstrip("/") + "/")) and len(point) >= length:
            all_options = {*fields[5].split(","), *options.split(",")}
            found, length = (kind, frozenset(all_options)), len(point)
    return found
