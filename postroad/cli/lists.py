"""`postroad list`: lists and their settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from postroad.cli.frame import Call, command, group
from postroad.cli.output import complain, print_table, whole
from postroad.runtime.errors import UsageError

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker
    from postroad.runtime.config import Config
    from schemas.commands import ListRow

PAGE = 500
KEY = 13  # characters: # and 48 bits
EXAMPLE = "subject_prefix='[Staff] '"

lists = group("list", "Lists and their settings.", example="postroad list ls")
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="The list's address.")]
Settings = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Settings, by Mailman's names.")
]


@command(lists, "create", example="postroad list create staff@lists.example.org mode=personal")
async def create(call: Call, address: Address, settings: Settings = None) -> None:
    """Create a list.

    Its settings have Mailman's names and safe defaults; `postroad list show` names them all. At
    the own address of a mailbox of Gmail or Microsoft 365, sub_address is plus. What keeps mail
    from arriving, or from its owners, is told on stderr.
    """
    from postroad.cli.ask import ask, pairs
    from postroad.cli.road import road
    from postroad.cli.typed import texts
    from schemas.commands import CreateList

    typed = texts(pairs(settings or (), example=EXAMPLE))
    chosen = suited(call.config, address, typed)
    async with road(call.config) as broker:
        await ask(broker, "list_create", CreateList(address=address, settings=chosen))
        row = await _row(broker, address)
    call.show(row, lambda: print(f"created the list {row.address}"))
    if chosen != typed:
        complain(f"{row.address} has sub_address=plus, since its mailbox gets nothing else")
    for line in _lacks(call.config, row):
        complain(line)


@command(lists, "show", example="postroad list show staff@lists.example.org")
async def show(call: Call, address: Address) -> None:
    """One list: who is on it, in numbers, and all its settings."""
    from postroad.cli.road import road

    async with road(call.config) as broker:
        row = await _row(broker, address)
    call.show(row, lambda: print_table(("", ""), _facts(row), whole=1))


@command(lists, "set", example="postroad list set staff@lists.example.org description='All staff'")
async def set_(call: Call, address: Address, settings: Settings = None) -> None:
    r"""Change settings of a list. Every change is an event: old value, new value, when.

    A setting with several values can be added to (`bans+=a@example.net`) and taken from (`bans-=`);
    header matches are taken by the numbers that `postroad list show` showed before the command.
    header=@FILE, footer=@FILE and header_matches=@FILE take the lines of a file; typed on the line,
    \n begins a new line of a header or footer. Where @NAME is a domain or a list, a file has a
    slash: bans=@./FILE. moderator_password takes @FILE, or - for standard input.
    """
    from postroad.cli.ask import ask, pairs
    from postroad.cli.road import road
    from postroad.cli.typed import texts
    from schemas.commands import ConfigureList

    typed = texts(pairs(settings or (), example=EXAMPLE))
    if not typed:
        raise UsageError(f"say what to change, such as {EXAMPLE}")
    async with road(call.config) as broker:
        if "sub_address" in typed:  # of the list that is meant, which may be given by its slug
            suited(call.config, (await _row(broker, address)).address, typed)
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


@command(lists, "history", example="postroad list history staff@lists.example.org")
async def history(call: Call, address: Address) -> None:
    """What happened to a list: each setting, old and new, when and by whom.

    Of a password it says only whether there was one.
    """
    from postroad.cli.ask import ask
    from postroad.cli.history import show
    from postroad.cli.road import road
    from schemas.commands import ListHistory
    from schemas.histories import HistoryRow

    rows: list[HistoryRow] = []
    async with road(call.config) as broker:
        while more := (
            await ask(broker, "list_history", ListHistory(list=address, after=len(rows)))
        ).history:
            rows += more
    call.show(whole(rows), lambda: show(rows))


def suited(config: Config, address: str, typed: dict[str, str]) -> dict[str, str]:
    """The settings as typed, and the form of sub-addresses that the mailbox gets where it gets
    only one. Raises UsageError where another form was typed, whose mail somebody else would get."""
    from postroad.cli import arrival
    from postroad.mail.addresses import normalise, sub_address

    try:
        who = arrival.plus_only(config, normalise(address))
    except ValueError:  # membership says so better
        return typed
    if not who:
        return typed
    if typed.get("sub_address") == "dash":
        raise UsageError(
            f"sub_address=dash: {who} delivers no {sub_address(address, 'join', 'dash')} to this "
            "mailbox, it may be somebody else's; use sub_address=plus"
        )
    return {"sub_address": "plus", **typed}


def _lacks(config: Config, row: ListRow) -> Iterator[str]:
    """What keeps mail of a new list from arriving, and what helps."""
    from postroad.cli import arrival

    if warning := arrival.warning(config, row.address, row.settings.sub_address):
        yield warning
    if not (row.owners or row.moderators or arrival.owner(config, row.address)):
        reached = arrival.owner_address(row.address, row.settings.sub_address)
        remedy = arrival.owner_remedy(row.address)
        yield f"nobody gets mail to {reached} yet: {remedy}"


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
        if not answer.lists:
            return
        after = answer.lists[-1].address


def _facts(row: ListRow) -> list[tuple[str, Any]]:
    from services.membership.settings import NOTHING

    facts: list[tuple[str, Any]] = [
        ("address", row.address),
        ("created", row.since),
        ("members", row.members),
        ("owners", row.owners),
        ("moderators", row.moderators),
    ]
    settings = msgspec.to_builtins(row.settings)
    for name, value in settings.items():
        if name == "header_matches" and value:  # numbered, to be taken away by number
            lines = enumerate(value, 1)
            facts += ((name if at == 1 else "", f"{at}. {line}") for at, line in lines)
        else:
            nothing = NOTHING.get(name) if value == 0 else None
            facts.append((name, f"({nothing})" if nothing else _plain(value)))
    return facts


def _plain(value: Any) -> str:
    match value:
        case None:
            return "(default)"
        case bool():
            return str(value).lower()  # as it is typed
        case list() | tuple():
            return ", ".join(map(_entry, value)) or "(none)"
        case float():
            return f"{value:g}"
        case _:
            return str(value).replace("\n", r"\n") or "(none)"  # one line, as it may be typed


def _entry(value: str) -> str:
    """One of several values; of the key of an address as much as tells it from others."""
    return value[:KEY] if value.startswith("#") else value
