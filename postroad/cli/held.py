"""`postroad held`: mail that waits for a verdict, and giving it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from postroad.cli.frame import Call, command, group
from postroad.cli.output import complain, print_table, short
from postroad.runtime.errors import PostroadError, UsageError

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker
    from schemas.commands import HeldRow

held = group("held", "Mail that waits for a verdict.", example="postroad held ls")

REASON = 500  # characters
PAGE = 200  # rows asked for at once
_NUMBERED = re.compile(r"[0-9a-f]{32}-\d+")
List = Annotated[str, typer.Option("--list", metavar="LIST", help="Only on this list.")]
Mails = Annotated[
    list[str],
    typer.Argument(metavar="ID", help="Ids, the first digits of them, or Message-IDs."),
]


@command(held, "ls", example="postroad held ls --list team@lists.example.org --json")
async def ls(
    call: Call,
    place: Annotated[
        str, typer.Argument(metavar="LIST", help="The same as --list.", show_default=False)
    ] = "",
    list_: List = "",
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most this many; without it, all.")
    ] = None,
) -> None:
    """The mail that nobody has decided on, the oldest first, with why it is held."""
    from postroad.cli.road import road

    if place and list_:
        raise UsageError(f"give one list: {place}, or --list {list_}")
    async with road(call.config) as broker:
        rows = await _waiting(broker, place or list_, limit)
    shown = rows[:limit]
    call.show(shown, lambda: _print_rows(shown, more=len(rows) > len(shown)))


@command(held, "show", example="postroad held show 0199d2c64d30")
async def show(
    call: Call,
    mail: Annotated[
        str, typer.Argument(metavar="ID", help="Its id, the first digits of it, or a Message-ID.")
    ],
    list_: List = "",
) -> None:
    """One held mail: who it is from, why it is held, how it begins, and what was decided."""
    from postroad.cli.ask import ask
    from postroad.cli.road import road
    from schemas.commands import ShowHeld

    async with road(call.config) as broker:
        wanted = ShowHeld(mail_id=await _id(broker, mail), list=list_)
        rows = (await ask(broker, "held_show", wanted)).held

    def text() -> None:
        for row in rows:
            _print(row)

    call.show(rows, text)


@command(held, "accept", example="postroad held accept 0199d2c64d30 --always")
async def accept(
    call: Call,
    mails: Mails,
    list_: List = "",
    always: Annotated[
        bool,
        typer.Option("--always", metavar="", help="Accept its sender's mail from now on, too."),
    ] = False,
) -> int:
    """Let held mail through, to everybody who is a member now.

    It goes out at once, or, where Postroad is not running, when it is started.
    """
    return await _decide(call, mails, list_, "accept", always=always)


@command(held, "reject", example='postroad held reject 0199d2c64d30 --reason "Please no files"')
async def reject(
    call: Call,
    mails: Mails,
    list_: List = "",
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="What its author is told; at most 500 characters.")
    ] = "",
) -> int:
    """Do not let held mail through, and tell its author, where it is certain who that is, and three
    times a day at most. Whether they are told is shown."""
    if len(reason) > REASON:
        raise UsageError(f"--reason has {len(reason)} characters; give at most {REASON}")
    return await _decide(call, mails, list_, "reject", reason=reason)


@command(held, "discard", example="postroad held discard 0199d2c64d30 0199d2c64d31")
async def discard(call: Call, mails: Mails, list_: List = "") -> int:
    """Do not let held mail through, and tell nobody."""
    return await _decide(call, mails, list_, "discard")


async def _decide(
    call: Call,
    mails: Sequence[str],
    list_: str,
    verdict: Literal["accept", "reject", "discard"],
    **more: Any,
) -> int:
    """Give one verdict on each; 1 where one could not be given, each told in its line."""
    from postroad.cli.ask import ask
    from postroad.cli.road import road
    from schemas.commands import DecideHeld

    results: list[dict[str, str]] = []
    async with road(call.config) as broker:
        ids = await _each(mails, lambda mail: _id(broker, mail))
        for text, found in zip(mails, ids, strict=True):
            try:
                if isinstance(found, PostroadError):
                    raise found
                wanted = DecideHeld(mail_id=found, list=list_, verdict=verdict, **more)
                (row,) = (await ask(broker, "held_decide", wanted)).held
            except UsageError:
                raise
            except PostroadError as error:
                results.append({"id": text, "error": str(error)})
            else:
                result = {"id": row.id, "list": row.list, "verdict": row.verdict}
                results.append(result | ({"untold": row.untold} if verdict == "reject" else {}))
    call.show(results, lambda: _print_results(results))
    if not call.json:
        for failed in results:
            if "error" in failed:
                complain(f"{failed['id']}: {failed['error']}")
    return 1 if any("error" in result for result in results) else 0


async def _each(
    mails: Sequence[str], find: Callable[[str], Awaitable[str]]
) -> list[str | PostroadError]:
    """The id of each, or why there is none. Raises UsageError, before anything is decided."""
    found: list[str | PostroadError] = []
    for mail in mails:
        try:
            found.append(await find(mail))
        except UsageError:
            raise
        except PostroadError as error:
            found.append(error)
    return found


async def _id(broker: Broker, text: str) -> str:
    from postroad.cli.mails import mail_id

    return text if _NUMBERED.fullmatch(text) else await mail_id(broker, text, kind="held")


async def _waiting(broker: Broker, list_: str, limit: int | None) -> list[HeldRow]:
    """What waits, page by page: all of it, or more than `limit` where there is more."""
    from postroad.cli.ask import ask
    from schemas.commands import ListHeld

    found: list[HeldRow] = []
    while limit is None or len(found) <= limit:
        page = min(PAGE, PAGE if limit is None else limit + 1 - len(found))
        after = found[-1].seq if found else 0
        wanted = ListHeld(list=list_, after=after, limit=page)
        rows = (await ask(broker, "held_ls", wanted)).held
        if not rows:
            break
        found += rows
    return found


def _print_rows(rows: Sequence[HeldRow], *, more: bool) -> None:
    if not rows:
        print("nothing waits for a verdict")
        return
    print_table(
        ("held (UTC)", "id", "list, author, subject, reasons"),
        [_cells(row, [each.id for each in rows]) for row in rows],
        whole=2,
    )
    if more:
        print("\nmore waits: give a higher --limit, or none")
    print("\nto decide: postroad held accept|reject|discard ID ...")


def _cells(row: HeldRow, ids: Sequence[str]) -> tuple[str, str, str]:
    about = [row.list, f"from {row.author}" if row.author else "", row.subject[:60], _why(row)]
    return row.since[5:19].replace("T", " "), short(row.id, ids), "\n".join(filter(None, about))


def _why(row: HeldRow) -> str:
    return "; ".join(f"{hit.rule}: {hit.reason}" for hit in row.hits)


def _print(row: HeldRow) -> None:
    waits = f"waits; not before {row.expires[:16].replace('T', ' ')} UTC it expires"
    facts = (
        ("mail", row.id),
        ("list", row.list),
        ("from", f"{row.name} <{row.author}>" if row.name else row.author),
        ("subject", row.subject),
        ("message-id", row.message_id),
        ("size", f"{row.size:,} octets"),
        ("held", f"{row.since[:19].replace('T', ' ')} UTC"),
        *(("because", f"{hit.rule}: {hit.reason}") for hit in row.hits),
        ("verdict", row.decided or (waits if row.expires else "waits")),
        *((("author", f"is told of no verdict: {row.untold}"),) if row.untold else ()),
    )
    print_table(("", ""), facts, whole=1)
    print()
    for line in (row.text or "(no plain text to show)").split("\n"):
        print(f"    {line}")
    print()


def _print_results(results: Sequence[dict[str, str]]) -> None:
    for result in results:
        if "error" not in result:
            told = ""
            if "untold" in result:
                why = result["untold"]
                told = f"; nobody is told: {why}" if why else "; its author is told"
            print(f"{short(result['id'])} on {result['list']}: {result['verdict']}{told}")
