"""People who were erased since the backup: forgotten once more, by the keys of their addresses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from postroad.runtime.erasurenotes import Note
from postroad.runtime.errors import UsageError
from schemas import subjects
from schemas.people import PersonKnown

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker


def noted(path: Path) -> list[Note]:
    """What the file says. Raises UsageError naming the line that is none."""
    found = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(
            f"--erasures {path}: {(error.strerror or 'unreadable').lower()}"
        ) from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(msgspec.json.decode(line, type=Note))
            except msgspec.MsgspecError as error:
                raise UsageError(
                    f"--erasures {path}, line {number}: `postroad member erase` wrote no such line"
                ) from error
    return found


async def known(broker: Broker, notes: list[Note]) -> list[str]:
    """The addresses of those that this system still knows."""
    found = {}
    for key in dict.fromkeys(key for note in notes for key in note.keys):
        last = await broker.last("PEOPLE", subjects.people(key))
        for event in last.events() if last else ():
            if isinstance(event, PersonKnown):
                found[event.person] = event.address
    return list(found.values())


async def again(broker: Broker, addresses: list[str]) -> None:
    """Erase them. Raises PostroadError."""
    from postroad.cli.erase import erased

    for address in addresses:
        await erased(broker, address, dry=False)
