"""`postroad member undo`: a mass change is taken back, once somebody has seen what that means."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from postroad.cli.frame import Call, command
from postroad.cli.member import DryRun, List
from postroad.cli.output import SHOWN, complain, counted
from postroad.cli.sync import Yes, member
from postroad.runtime.errors import PostroadError, UsageError

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker
    from schemas.commands import Answer, UndoRow
    from schemas.mass import UndoChange

__all__ = ["member", "undo"]  # the group, with this in it

SIGNS = {"added": "+", "changed": "~", "removed": "-"}


@command(
    member,
    "undo",
    example="postroad member undo staff@lists.example.org 019a86f0b0c07c3e9d2f4b5a6c7d8e9f",
)
async def undo(
    call: Call,
    list_: List,
    command_id: Annotated[
        str, typer.Argument(metavar="COMMAND_ID", help="The command's id, told as it began.")
    ],
    to: Annotated[
        str, typer.Option("--to", metavar="TIME", help="Only what it did from then on.")
    ] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
) -> int:
    """Take back an import, a sync, or a mass removal.

    Everybody whom the command changed is put back to how they stood before it, by new events: the
    log forgets nothing. Whoever was changed since, by themselves or by others, is left alone and
    named. It shows what would be done, and asks. An undo has an id too, and can be undone.
    """
    from postroad.cli import mass
    from postroad.cli.progress import progress
    from postroad.cli.road import road
    from postroad.cli.times import time_of
    from schemas.mass import UndoChange

    if not (dry_run or yes or sys.stdin.isatty()):
        raise UsageError("nobody can be asked here; look with --dry-run, then give --yes")
    since = ""
    if to:
        time, said = time_of(to, "--to")
        since = time.isoformat()
        if not said:
            complain(f"--to {to} is taken for {since}, the time of this machine's zone")
    request = UndoChange(list=list_, undo=command_id, since=since, dry=True)
    own = ""
    async with road(call.config) as broker:
        with progress("looking") as reached:
            found = await _all(broker, request, reached)
        if not found.total:
            raise PostroadError(
                f"the command {command_id} changed nobody on {list_}"
                f"{f' from {since} on' if to else ''}; each command tells its id, and its list, as "
                "it begins"
            )
        if not call.json:
            print("\n".join(told(found)))
        if found.undone and not dry_run:
            if not yes:
                await asyncio.to_thread(typer.confirm, "Do this?", abort=True)
            own = mass.begin(list_)
            request = msgspec.structs.replace(request, dry=False, command=own)
            with progress("putting back", len(found.undone)) as reached:
                found = await _all(broker, request, reached)
            if not call.json:
                print(f"put back {counted(found.changed, 'person', 'people')}")
    if call.json:
        report = {"undone": found.undone, "left": found.left, "command": own}
        call.show(report, lambda: None)
    return 0


def told(found: Answer) -> Iterator[str]:
    """What would be done, for a person, in lines."""
    if not found.undone and not found.left:
        yield "nothing to put back: whom that command changed all stand as they did before it"
        return
    yield f"put back {len(found.undone):,}, leave alone {len(found.left):,}"
    yield from _some([f"{SIGNS[row.what]} {row.address}" for row in found.undone])
    yield from _some([f"  {row.address}: {row.what}" for row in found.left])


def _some(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:SHOWN]
    if len(lines) > SHOWN:
        yield f"  and {len(lines) - SHOWN:,} more"


async def _all(broker: Broker, request: UndoChange, reached: Callable[[int], None]) -> Answer:
    """What comes of the whole, asked part by part; `reached` hears of how many it was so far."""
    from postroad.cli.mass import answered
    from schemas.commands import Answer

    changed, total, after = 0, 0, 0
    undone: list[UndoRow] = []
    left: list[UndoRow] = []
    while True:
        answer = await answered(broker, "undo", msgspec.structs.replace(request, after=after))
        changed += answer.changed
        total += answer.total
        undone += answer.undone
        left += answer.left
        reached(changed)
        after = answer.after
        if not after:
            return Answer(changed=changed, total=total, undone=tuple(undone), left=tuple(left))
