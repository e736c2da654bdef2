"""The machine: settings, secret files, state_dir, Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from postroad.cli.doctor.checks import REMEDIES
from postroad.cli.doctor.finding import Finding, failed, ok, warning
from postroad.runtime.machine import full_below, scarce_below

HERE = "postroad"
# the first releases of Python 3.x that mend the header injection of its email package;
# github.com/python/cpython/issues/144125, as of March 2026
HOLE, PYTHONS = "CVE-2026-1299", {11: 15, 12: 13, 13: 12}

MAKE_ROOM = "make room; then start what ended meanwhile: postroad up"


@dataclass(frozen=True)
class Secret:
    """A file with a secret. `what` names the setting, `problem` says why it cannot be used,
    `mode` are its permission bits."""

    what: str
    path: str
    mode: int = 0o600
    problem: str = ""


@dataclass(frozen=True)
class State:
    """state_dir; `free` and `total` in bytes, of the nearest folder that exists; `journal` says why
    the sender cannot have its journal there, "" where it can, and `problem` why nothing can be read
    or written there at all. Where Postroad `runs` it waits for room."""

    path: str
    there: bool
    mode: int
    writable: bool
    free: int
    total: int
    journal: str = ""
    problem: str = ""
    runs: bool = False


def settings(path: str, warnings: Sequence[str]) -> list[Finding]:
    """What in the settings is unwise, a row each."""
    if not warnings:
        return [ok("settings", HERE, f"{path} is well")]
    found = []
    for line in warnings:
        what, _, remedy = line.partition("; ")
        remedy = remedy or f"edit {path}; then: postroad config check"
        found.append(warning("settings", HERE, what, remedy))
    return found


def secrets(files: Sequence[Secret]) -> list[Finding]:
    """Files that are missing or that others may read, a row each."""
    if not files:
        return [ok("secrets", HERE, "no secret files yet")]
    found = []
    for file in files:
        if file.problem:
            what, _, remedy = file.problem.partition("; ")
            found.append(failed("secrets", HERE, what, remedy or "write it again, as UTF-8 text"))
        elif file.mode & 0o007:
            what = f"{file.what}: {file.path} may be used by every user of this machine"
            found.append(failed("secrets", HERE, what, f"chmod o-rwx {file.path}"))
    count = "1 secret file" if len(files) == 1 else f"{len(files)} secret files"
    return found or [ok("secrets", HERE, f"{count}, private")]


def state(facts: State) -> list[Finding]:
    """Private, writable, with room."""
    found = []
    if facts.there and facts.mode & 0o007:
        what = f"{facts.path} may be read by every user of this machine; it holds mail"
        found.append(failed("state", HERE, what, f"chmod 700 {facts.path}"))
    full = facts.total > 0 and facts.free < full_below(facts.total)
    if facts.problem:
        what, _, remedy = facts.problem.partition("; ")
        found.append(failed("state", HERE, what, remedy or REMEDIES["state"]))
    elif not facts.writable:
        what = f"{facts.path} cannot be {'written' if facts.there else 'made'} by this user"
        remedy = "run as the user that runs Postroad, or give it the folder: chown USER FOLDER"
        found.append(failed("state", HERE, what, remedy))
    if facts.journal:
        what = f"no journal of the sender: {facts.path}/sender {facts.journal}"
        remedy = "move it away, or give it to the user that runs Postroad; then restart Postroad"
        found.append(warning("state", HERE, what, remedy))
    room = (
        f"{facts.free / 1e9:.1f} GB free"
        if facts.free >= 1e9
        else f"{facts.free / 1e6:.0f} MB free"
    )
    if full:
        what = f"the disk of {facts.path} is full: {room}"
        remedy = "make room, and it goes on by itself" if facts.runs else MAKE_ROOM
        found.append(failed("state", HERE, what, remedy))
    elif facts.total > 0 and facts.free < scarce_below(facts.total):
        what = f"the disk of {facts.path} fills up: {room}"
        found.append(warning("state", HERE, what, "make room; postroad status shows what it holds"))
    there = "private" if facts.there else "made at the first start"
    return found or [ok("state", HERE, f"{facts.path}: {there}, {room}")]


def python(version: tuple[int, int, int], *, packaged: bool) -> Finding:
    """New enough for hostile mail. `packaged`: it is the distribution's, which keeps the number
    and backports what was mended. Other lines than 3.11 to 3.13 are not judged."""
    text = f"Python {'.'.join(map(str, version))}"
    least = PYTHONS.get(version[1])
    if version[0] != 3 or least is None or version[2] >= least:
        return ok("python", HERE, text)
    if packaged:
        what = f"{text} of your distribution, whose security updates mend it ({HOLE})"
        return ok("python", HERE, f"{what}: keep them on")
    what = f"{text} is older than 3.{version[1]}.{least}, which mends {HOLE}"
    return warning("python", HERE, what, REMEDIES["python"])
