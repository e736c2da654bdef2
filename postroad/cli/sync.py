"""`postroad member sync`: the members of a list become those of a file, once somebody has seen
what that means."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.frame import Call, command
from postroad.cli.member import DryRun, List
from postroad.cli.memberfiles import member
from postroad.cli.output import SHOWN, counted
from postroad.cli.people import OPTIONS
from postroad.runtime.errors import UsageError

if TYPE_CHECKING:
    from postroad.cli.people import BadLine
    from schemas.commands import RosterRow
    from schemas.mass import ImportRow, MassAction

__all__ = ["Plan", "Yes", "check", "member", "plan", "sync"]  # the group, with this in it

Yes = Annotated[bool, typer.Option("--yes", metavar="", help="Do not ask.")]


@dataclass
class Plan:
    """What a list lacks to be as the file says: `change` are told options that are different,
    `bad` lines that cannot be read."""

    add: list[ImportRow] = field(default_factory=list)
    change: list[tuple[ImportRow, Mapping[str, str]]] = field(default_factory=list)
    remove: list[ImportRow] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)
    members: int = 0  # as they are now


@command(
    member, "sync", example="postroad member sync staff@lists.example.org people.csv --dry-run"
)
async def sync(
    call: Call,
    list_: List,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV, or one address a line; - reads stdin.")
    ],
    dry_run: DryRun = False,
    yes: Yes = False,
    force: Annotated[
        int, typer.Option(metavar="COUNT", help="Remove so many, though it is most of the list.")
    ] = 0,
) -> int:
    """Make the members of a list those of a file.

    Shows who would be added, changed (in the options that the file tells) and removed, and asks
    before it does so. Owners and moderators are left alone. A file with a wrong line changes
    nothing. One that would remove more than half of the members needs --force with their number.
    """
    from postroad.cli import mass
    from postroad.cli.memberrows import roster
    from postroad.cli.people import lines_of, people
    from postroad.cli.road import road
    from schemas.mass import ImportMembers

    found = people(lines_of(mass.file_bytes(file)), plain=True)
    if not (dry_run or yes or (sys.stdin.isatty() and str(file) != "-")):
        raise UsageError("nobody can be asked here; look with --dry-run, then give --yes")
    async with road(call.config) as broker:
        wanted = plan(found, [row async for row in roster(broker, list_, "member")])
        if wanted.bad:
            mass.complain_of(wanted.bad)
            raise UsageError(f"{counted(len(wanted.bad), 'wrong line')}: nothing was changed")
        nothing = not (wanted.add or wanted.change or wanted.remove)
        bad: list[BadLine] = []
        command_id = ""
        if not call.json:
            print("\n".join(told(wanted)))
        if not dry_run and not nothing:
            check(wanted, force)
            if not yes:
                await asyncio.to_thread(typer.confirm, "Do this?", abort=True)
            command_id = mass.begin(list_)
            steps: dict[MassAction, list[ImportRow]] = {
                "add": wanted.add,
                "set": [row for row, _ in wanted.change],
                "remove": wanted.remove,
            }
            for action, rows in steps.items():
                request = ImportMembers(
                    list=list_, rows=(), action=action, how="sync", command=command_id
                )
                bad += (await mass.send(broker, request, rows)).bad
    if call.json:
        call.show(_report(wanted, command_id, bad), lambda: None)
    else:
        mass.complain_of(bad)
    return 1 if bad else 0


def plan(rows: Iterable[ImportRow | BadLine], members: Sequence[RosterRow]) -> Plan:
    """What is to be done. Of an address that stands twice, or another of the same person, the first
    line counts; lines of another role than member say nothing."""
    from postroad.mail import addresses
    from schemas.mass import ImportRow

    now = {addresses.normalise(row.address): row for row in members}
    others = {addresses.normalise(one): key for key, row in now.items() for one in row.also}
    found = Plan(members=len(now))
    seen: set[str] = set()
    for row in rows:
        if isinstance(row, tuple):
            found.bad.append(row)
            continue
        try:
            key = addresses.normalise(addresses.validate(row.address))
        except ValueError as error:
            found.bad.append((row.line, str(error)))
            continue
        key = others.get(key, key)
        if row.role != "member" or key in seen:
            continue
        seen.add(key)
        if key not in now:
            found.add.append(row)
        elif different := _different(row, now[key]):
            found.change.append((row, different))
    found.remove = [
        ImportRow(line=number, address=row.address)
        for number, (key, row) in enumerate(now.items(), 1)
        if key not in seen
    ]
    return found


def check(wanted: Plan, force: int) -> None:
    """Raises UsageError where most of the list would go, and `force` is not their number."""
    gone = len(wanted.remove)
    if gone * 2 > wanted.members and force != gone:
        raise UsageError(
            f"this would remove {gone:,} of {counted(wanted.members, 'member')}; nothing was "
            f"changed. If that is meant, give --force {gone}"
        )


def told(wanted: Plan) -> Iterator[str]:
    """The plan for a person, in lines."""
    yield (
        f"add {len(wanted.add):,}, change {len(wanted.change):,}, remove {len(wanted.remove):,} "
        f"of {counted(wanted.members, 'member')}"
    )
    changes = [
        f"{row.address}: {', '.join(f'{name} {word}' for name, word in options.items())}"
        for row, options in wanted.change
    ]
    for sign, lines in (
        ("+", [row.address for row in wanted.add]),
        ("~", changes),
        ("-", [row.address for row in wanted.remove]),
    ):
        yield from (f"{sign} {line}" for line in lines[:SHOWN])
        if len(lines) > SHOWN:
            yield f"{sign} and {len(lines) - SHOWN:,} more"


def _different(row: ImportRow, now: RosterRow) -> dict[str, str]:
    """The options that a row tells and a member has not so, as a file writes them."""
    told = {name: getattr(row, name) for name in OPTIONS if name != "role"}
    return {
        name: str(value).lower()
        for name, value in told.items()
        if value is not None and value != getattr(now, name)
    }


def _report(wanted: Plan, command_id: str, bad: Sequence[BadLine]) -> Mapping[str, object]:
    return {
        "add": [row.address for row in wanted.add],
        "change": [{"address": row.address, **options} for row, options in wanted.change],
        "remove": [row.address for row in wanted.remove],
        "bad": [{"line": line, "reason": reason} for line, reason in bad],
        "command": command_id,
    }
