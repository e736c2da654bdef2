"""More of `postroad member`: a list's people as a file, in and out."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from postroad.cli.addresses import member
from postroad.cli.frame import Call, command
from postroad.cli.member import Again, DryRun, List, mass_change
from postroad.cli.output import print_json
from schemas.membership import Role

if TYPE_CHECKING:
    from schemas.commands import RosterRow

__all__ = ["COLUMNS", "export", "exported", "import_", "member"]  # the group, with these in it

TYPED = ("email", "display_name")  # by people, who may mean harm
COLUMNS = (
    *TYPED,
    "role",
    "delivery_mode",
    "delivery_status",
    "moderation_action",
    "receive_own_postings",
    "receive_list_copy",
    "preferred_language",
    "since",
)


@command(member, "import", example="postroad member import staff@lists.example.org people.csv")
async def import_(
    call: Call,
    list_: List,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV or JSON; - reads standard input.")
    ],
    dry_run: DryRun = False,
    again: Again = False,
) -> int:
    """Put the people of a file onto a list.

    A CSV file has a heading with a column `email`, and may have `display_name` (or `name`),
    `role`, `since` and the options of `member set`. Commas, semicolons and tabs separate. They have
    agreed, as with `member add --confirmed`. Lines that are wrong are named and left out, with exit
    code 1; an import that was cut short is given again, because whoever is on the list already
    stays as they are. Who left since, or was removed, is named and stays away unless with --again.
    `member undo` takes it back.
    """
    return await mass_change(
        call, list_, file, action="add", how="import", back=again, plain=False, dry=dry_run
    )


@command(member, "export", example="postroad member export staff@lists.example.org > people.csv")
async def export(
    call: Call,
    list_: List,
    format_: Annotated[
        Literal["csv", "json"], typer.Option("--format", help="Both can be imported again.")
    ] = "csv",
) -> None:
    """Everybody on a list in every role, with their options and since when, as a file."""
    from postroad.cli.memberrows import roster
    from postroad.cli.road import road

    async with road(call.config) as broker:
        rows = [row for role in get_args(Role) async for row in roster(broker, list_, role)]
    records = (exported(row) for row in rows)
    if call.json or format_ == "json":
        print_json(list(records))
    else:
        _print_csv(records)


def exported(row: RosterRow) -> Mapping[str, str]:
    """A member as a line of a file, by the names of its columns."""
    values = ((name, getattr(row, name)) for name in COLUMNS[1:])
    words = {True: "true", False: "false"}
    return {"email": row.address, **{name: words.get(value, value) for name, value in values}}


def _print_csv(records: Iterable[Mapping[str, str]]) -> None:
    from postroad.cli.people import guarded

    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, **{name: guarded(row[name]) for name in TYPED}} for row in records)
