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
from msgspec.structs import replace

from postroad.cli.frame import Call, command
from postroad.cli.member import DryRun, List
from postroad.cli.memberfiles import member
from postroad.cli.output import SHOWN, counted
from postroad.cli.people import OPTIONS
from postroad.runtime.errors import UsageError

if TYPE_CHECKING:
    from postroad.cli.mass import Outcome
    from postroad.cli.people import BadLine
    from postroad.runtime.broker import Broker
    from schemas.commands import RosterRow
    from schemas.mass import ImportRow, MassAction

__all__ = ["Plan", "Yes", "check", "member", "plan", "sync"]  # the group, with this in it

Yes = Annotated[bool, typer.Option("--yes", metavar="", help="Do not ask.")]
Options = Mapping[str, tuple[str, str]]  # by name, old and new as a file writes them
STOPPED = "delivery_status stays by_user"


@dataclass
class Plan:
    """What a list lacks to be as the file says: `change` are told options that are different, with
    their old and new values, `bad` lines that cannot be read. Those of `stay` left, or stopped
    their mail, by themselves."""

    add: list[ImportRow] = field(default_factory=list)
    change: list[tuple[ImportRow, Options]] = field(default_factory=list)
    stay: list[tuple[str, str]] = field(default_factory=list)
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
    again: Annotated[
        bool,
        typer.Option(
            "--again", metavar="", help="Also who left, or stopped their mail, by choice."
        ),
    ] = False,
) -> int:
    """Make the members of a list those of a file.

    Shows who would be added, changed (in the options that the file tells) and removed, and asks
    before it does so. Owners and moderators are left alone. A file with a wrong line changes
    nothing, and neither does one that was decided on before somebody else came or left. One that
    would remove more than half of the members needs --force with their number. Who left by
    themselves or through bounces stays away, and mail that members stopped stays stopped, unless
    with --again.
    """
    from postroad.cli import mass
    from postroad.cli.ask import ask
    from postroad.cli.memberrows import roster
    from postroad.cli.road import road
    from schemas.commands import RosterPage
    from schemas.mass import ImportMembers

    found, _ = mass.read(file, plain=True)
    if not (dry_run or yes or (sys.stdin.isatty() and str(file) != "-")):
        raise UsageError("nobody can be asked here; look with --dry-run, then give --yes")
    async with road(call.config) as broker:
        first = await ask(broker, "roster", RosterPage(list=list_, limit=1))
        members = [row async for row in roster(broker, list_, "member")]
        wanted = plan(found, members, again=again)
        if wanted.bad:
            mass.complain_of(wanted.bad)
            raise UsageError(f"{counted(len(wanted.bad), 'wrong line')}: nothing was changed")
        request = ImportMembers(list=list_, rows=(), how="sync", back=again)
        looked = await mass.send(broker, replace(request, dry=True), wanted.add)
        without(wanted, looked)
        nothing = not (wanted.add or wanted.change or wanted.remove)
        bad = looked.bad
        command_id = ""
        if not call.json:
            shown = wanted.change[:SHOWN]
            by = {row.address: await _by(broker, list_, row.address, told) for row, told in shown}
            print("\n".join(told(wanted, by)))
        if not dry_run and not nothing:
            check(wanted, force)
            if not yes:
                await asyncio.to_thread(typer.confirm, "Do this?", abort=True)
            command_id = mass.begin(list_)
            request = replace(request, command=command_id, seen=first.as_of.membership)
            steps: dict[MassAction, list[ImportRow]] = {
                "add": wanted.add,
                "set": [row for row, _ in wanted.change],
                "remove": wanted.remove,
            }
            for action, rows in steps.items():
                done = await mass.send(broker, replace(request, action=action), rows)
                request = replace(request, seen=done.seen)
                bad += done.bad
    if call.json:
        call.show(_report(wanted, command_id, bad), lambda: None)
    else:
        mass.complain_of(bad)
    return 1 if bad else 0


def plan(
    rows: Iterable[ImportRow | BadLine], members: Sequence[RosterRow], *, again: bool = False
) -> Plan:
    """What is to be done; `again` also switches on what members stopped. Of an address that stands
    twice, or another of the same person, the first line counts; lines of another role than member
    say nothing."""
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
            continue
        different = _different(row, now[key])
        if not again and different.get("delivery_status") == ("by_user", "enabled"):
            del different["delivery_status"]
            found.stay.append((row.address, STOPPED))
        if different:
            found.change.append((row, different))
    found.remove = [
        ImportRow(line=number, address=row.address)
        for number, (key, row) in enumerate(now.items(), 1)
        if key not in seen
    ]
    return found


def without(wanted: Plan, looked: Outcome) -> None:
    """Leave out of a plan whom membership would not add, with those it would who left."""
    address_of = {row.line: row.address for row in wanted.add}
    wanted.stay += [(address_of[line], f"stays away: {why}") for line, why in looked.away]
    no = {line for line, _ in (*looked.bad, *looked.away)}
    wanted.add = [row for row in wanted.add if row.line not in no]


def check(wanted: Plan, force: int) -> None:
    """Raises UsageError where most of the list would go, and `force` is not their number."""
    gone = len(wanted.remove)
    if gone * 2 > wanted.members and force != gone:
        raise UsageError(
            f"this would remove {gone:,} of {counted(wanted.members, 'member')}; nothing was "
            f"changed. If that is meant, give --force {gone}"
        )


def told(wanted: Plan, by: Mapping[str, str]) -> Iterator[str]:
    """The plan for a person, in lines; `by` says who set what would change, by address."""
    yield (
        f"add {len(wanted.add):,}, change {len(wanted.change):,}, remove {len(wanted.remove):,} "
        f"of {counted(wanted.members, 'member')}"
    )
    changes = [
        f"{row.address}: {', '.join(f'{name} {_became(*told)}' for name, told in options.items())}"
        + (f" ({by[row.address]})" if by.get(row.address) else "")
        for row, options in wanted.change
    ]
    stay = [f"{address}: {why}; --again changes that" for address, why in wanted.stay]
    for sign, lines in (
        ("+", [row.address for row in wanted.add]),
        ("~", changes),
        ("-", [row.address for row in wanted.remove]),
        ("=", stay),
    ):
        yield from (f"{sign} {line}" for line in lines[:SHOWN])
        if len(lines) > SHOWN:
            yield f"{sign} and {len(lines) - SHOWN:,} more"


def _became(old: str, new: str) -> str:
    return f"{old or '(none)'} → {new or '(none)'}"


async def _by(broker: Broker, list_: str, address: str, options: Options) -> str:
    """Who set these options of a member last, and when; empty where they are as on joining."""
    from postroad.cli.ask import ask
    from schemas.commands import MemberHistory

    found, request = "", MemberHistory(list=list_, address=address)
    while rows := (await ask(broker, "member_history", request)).history:
        for row in rows:
            if any(name in options for name, _, _ in row.changes):
                found = f"set by {row.by}, {row.time[:10]}"
        request = replace(request, after=request.after + len(rows))
    return found


def _different(row: ImportRow, now: RosterRow) -> dict[str, tuple[str, str]]:
    """The options that a row tells and a member has not so, old and new as a file writes them."""
    told = {name: getattr(row, name) for name in OPTIONS if name != "role"}
    return {
        name: (_word(getattr(now, name)), _word(value))
        for name, value in told.items()
        if value is not None and value != getattr(now, name)
    }


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _report(wanted: Plan, command_id: str, bad: Sequence[BadLine]) -> Mapping[str, object]:
    return {
        "add": [row.address for row in wanted.add],
        "change": [
            {
                "address": row.address,
                **{name: new for name, (_, new) in options.items()},
                "was": {name: old for name, (old, _) in options.items()},
            }
            for row, options in wanted.change
        ],
        "stay": [{"address": address, "reason": why} for address, why in wanted.stay],
        "remove": [row.address for row in wanted.remove],
        "bad": [{"line": line, "reason": reason} for line, reason in bad],
        "command": command_id,
    }
