"""`postroad list`: lists and their settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from postroad.cli.frame import Call, command, group
from postroad.cli.output import print_table
from postroad.runtime.errors import UsageError

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker
    from schemas.commands import ListRow

PAGE = 500
EXAMPLE = "subject_prefix='[Staff] '"

lists = group("list", "Lists and their settings.", example="postroad list ls")
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="The list's address.")]
Settings = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings, by Mailman's names.")
]


@command(lists, "create", example="postroad list create staff@lists.example.org mode=personal")
async def create(call: Call, address: Address, settings: Settings = None) -> None:
    """Create a list.

    Its settings have Mailman's names and safe defaults; `postroad list show` names them all.
    """
    from postroad.cli.ask import ask, pairs
    from postroad.cli.road import road
    from schemas.commands import CreateList

    typed = dict(pairs(settings or (), example=EXAMPLE))
    async with road(call.config) as broker:
        await ask(broker, "list_create", CreateList(address=address, settings=typed))
        row = await _row(broker, address)
    call.show(row, lambda: print(f"created the list {row.address}"))


@command(lists, "show", example="postroad list show staff@lists.example.org")
async def show(call: Call, address: Address) -> None:
    """One list: who is on it, in numbers, and all its settings."""
    from postroad.cli.road import road

    async with road(call.config) as broker:
        row = await _row(broker, address)
    call.show(row, lambda: print_table(("", ""), _facts(row), whole=1))


@command(lists, "set", example="postroad list set staff@lists.example.org description='All staff'")
async def set_(call: Call, address: Address, settings: Settings = None) -> None:
    """Change settings of a list. Every change is an event: old value, new value, when."""
    from postroad.cli.ask import ask, pairs
    from postroad.cli.road import road
    from schemas.commands import ConfigureList

    typed = dict(pairs(settings or (), example=EXAMPLE))
    if not typed:
        raise UsageError(f"say what to change, such as {EXAMPLE}")
    async with road(call.config) as broker:
        answer = await ask(broker, "list_set", ConfigureList(list=address, settings=typed))
        row = await _row(broker, address)
    call.show(
        row,
        lambda: print(
            f"changed {row.address}" if answer.changed else f"{row.address} is set so already"
        ),
    )


@command(lists, "ls", example="postroad list ls --json")
async def ls(call: Call) -> None:
    """All lists."""
    from postroad.cli.road import road

    async with road(call.config) as broker:
        rows = [row async for row in _rows(broker)]
    call.show(
        rows,
        lambda: print_table(
            ("address", "members", "owners", "description"),
            ((row.address, row.members, row.owners, row.settings.description) for row in rows),
        ),
    )


async def _row(broker: Broker, address: str) -> ListRow:
    from postroad.cli.ask import ask
    from schemas.commands import ShowList

    answer = await ask(broker, "list_show", ShowList(list=address))
    return answer.lists[0]


async def _rows(broker: Broker) -> AsyncIterator[ListRow]:
    from postroad.cli.ask import ask
    from schemas.commands import ListLists

    after = ""
    while True:
        answer = await ask(broker, "list_ls", ListLists(after=after, limit=PAGE))
        for row in answer.lists:
            yield row
        if len(answer.lists) < PAGE:
            return
        after = answer.lists[-1].address


def _facts(row: ListRow) -> list[tuple[str, Any]]:
    facts: list[tuple[str, Any]] = [
        ("address", row.address),
        ("created", row.since),
        ("members", row.members),
        ("owners", row.owners),
        ("moderators", row.moderators),
    ]
    settings = msgspec.to_builtins(row.settings)
    return facts + [(name, _plain(value)) for name, value in settings.items()]


def _plain(value: Any) -> str:
    match value:
        case None:
            return "(default)"
        case list() | tuple():
            return ", ".join(value) or "(none)"
        case _:
            return str(value)
