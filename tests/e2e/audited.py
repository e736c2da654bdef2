"""What Python processes open and start, told by themselves: audit hooks (PEP 578).

    watched = audit(tmp_path, monkeypatch)
    async with world(tmp_path) as here: ...
    watched.opened(), watched.started()

Every process of ours that is started in between tells; byte code that Python keeps does not count.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

_HOOK = """
import json, os, sys
_log = os.open(os.path.join(os.path.dirname(__file__), "audit.log"), 0o2001 | os.O_CREAT)
_STARTS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn")
def _hook(event, args):
    if event == "open" or event in _STARTS:
        # a path may be a number, octets or anything else; the mode tells who writes
        told = [event, *(os.fsdecode(a) if isinstance(a, bytes) else str(a) for a in args)]
        os.write(_log, json.dumps(told).encode() + b"\\n")
if {"postroad.cli", "postroad.cli.serve", "services.router.content.worker"} & {*sys.orig_argv}:
    sys.addaudithook(_hook)
    os.write(_log, json.dumps(["runs", *sys.orig_argv]).encode() + b"\\n")
"""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Watched:
    """What was told so far."""

    log: Path

    def events(self) -> list[list[str]]:
        """Each as its name and arguments."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def opened(self, *, to_write: bool = False) -> set[str]:
        """Paths that were opened."""
        return {
            path
            for name, path, *more in self.events()
            if name == "open" and not path.isdigit() and "__pycache__" not in path
            if not to_write or _writes(*more)
        }

    def started(self) -> list[list[str]]:
        """What was started by means of Python's own; those of uvloop are not told (see `ran`)."""
        return [event for event in self.events() if event[0] not in ("open", "runs")]

    def ran(self) -> list[list[str]]:
        """The arguments of our processes."""
        return [event[1:] for event in self.events() if event[0] == "runs"]


def audit(home: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Watch every Python process that is started from here on."""
    folder = home / "audit"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_HOOK)
    (folder / "audit.log").touch()
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{before}" if before else str(folder))
    return Watched(folder / "audit.log")


def _writes(mode: str, flags: str) -> bool:
    return bool(int(flags) & _WRITES) or bool(set(mode) & set("wax+") and mode != "None")
