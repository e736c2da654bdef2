"""`postroad member`: who is on a list, in which role, and how they read."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import msgspec
import typer

from postroad.cli.frame import Call, command, group
from postroad.cli.output import complain, print_table, whole
from postroad.runtime.errors import UsageError
from schemas.membership import DeliveryMode, DeliveryStatus, Moderation, Role

if TYPE_CHECKING:
    from postroad.cli.people import BadLine
    from postroad.runtime.broker import Broker
    from schemas.commands import Answer, ChangeMember, ImportRow, RosterRow, Subscribe, Unsubscribe

    One = Subscribe | Unsubscribe | ChangeMember

PAGE = 1000
ASKED = "asked"  # by mail; they are on the list once they reply
ROWS = 1000  # of an import in one request; more are refused
AT_ONCE = 2  # requests of an import; while one is being stored, membership prepares the other
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "delivery_mode": get_args(DeliveryMode),
    "delivery_status": get_args(DeliveryStatus),
    "moderation_action": get_args(Moderation),
}

member = group("member", "Who is on a list.", example="postroad member ls staff@lists.example.org")
List = Annotated[str, typer.Argument(metavar="LIST", help="The list's address.")]
Addresses = Annotated[list[str], typer.Argument(metavar="ADDRESS", help="Whom.")]
InRole = Annotated[Role, typer.Option(help="In which role.")]


@command(
    member, "add", example="postroad member add staff@lists.example.org ann@example.net --confirmed"
)
async def add(
    call: Call,
    list_: List,
    addresses: Addresses,
    role: InRole = "member",
    name: Annotated[str, typer.Option(help="Display name, for one address.")] = "",
    confirmed: Annotated[
        bool, typer.Option("--confirmed", metavar="", help="They have agreed already.")
    ] = False,
    welcome: Annotated[
        bool, typer.Option("--welcome", metavar="", help="With --confirmed: tell them by mail.")
    ] = False,
) -> int:
    """Put people onto a list.

    Nobody is subscribed without agreeing: they are asked by mail, and are on the list once they
    reply. --confirmed says that they have agreed already; they hear nothing of it then, unless
    with --welcome. Whoever is on the list already stays as they are.
    """
    from schemas.commands import Subscribe

    if welcome and not confirmed:
        raise UsageError(
            "--welcome goes with --confirmed; whoever is asked by mail is welcomed on joining"
        )
    if welcome and role != "member":
        complain(f"--welcome does nothing with --role {role}")
    if name and len(addresses) > 1:
        raise UsageError("--name is for one address; use `postroad member import` for many")
    requests = [
        Subscribe(
            list=list_,
            address=address,
            display_name=name,
            role=role,
            confirmed=confirmed,
            welcome=welcome,
        )
        for address in addresses
    ]
    done = "added" if confirmed else ASKED
    return await _each(call, "subscribe", requests, done=done, already="there already", role=role)


@command(member, "remove", example="postroad member remove staff@lists.example.org ann@example.net")
async def remove(call: Call, list_: List, addresses: Addresses, role: InRole = "member") -> int:
    """Take people off a list, or take a role from them."""
    from schemas.commands import Unsubscribe

    requests = [Unsubscribe(list=list_, address=address, role=role) for address in addresses]
    return await _each(
        call, "unsubscribe", requests, done="removed", already="not there", role=role
    )


@command(
    member,
    "set",
    example="postroad member set staff@lists.example.org ann@example.net delivery_mode=none",
)
async def set_(
    call: Call,
    list_: List,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Whose options.")],
    options: Annotated[list[str], typer.Argument(metavar="KEY=VALUE", help=", ".join(OPTIONS))],
) -> int:
    """Change how somebody reads or posts.

    delivery_mode is regular or none; delivery_status is enabled, by_user, by_bounces or
    by_moderator; moderation_action is defer, accept, hold, reject, discard or empty.
    """
    change = change_of(list_, address, options)
    return await _each(call, "member_set", [change], done="changed", already="set so already")


@command(member, "ls", example="postroad member ls staff@lists.example.org --json")
async def ls(call: Call, list_: List, role: InRole = "member") -> None:
    """Who is on a list, in order of address."""
    from postroad.cli.road import road

    async with road(call.config) as broker:
        rows = [row async for row in _roster(broker, list_, role)]
    call.show(
        whole(rows),
        lambda: print_table(
            ("address", "name", "delivery", "since"),
            ((row.address, row.display_name, _delivery(row), row.since) for row in rows),
        ),
    )


@command(
    member, "history", example="postroad member history staff@lists.example.org ann@example.net"
)
async def history(
    call: Call,
    list_: List,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Whose.")],
) -> None:
    """What happened to somebody on a list: when, what, by whom and why.

    Read from the log itself, which forgets nothing; of somebody who was erased it no longer says
    who it was.
    """
    from postroad.cli.ask import ask
    from postroad.cli.history import show
    from postroad.cli.road import road
    from schemas.commands import MemberHistory

    async with road(call.config) as broker:
        answer = await ask(broker, "member_history", MemberHistory(list=list_, address=address))
    who = "erased" if answer.erased else address
    report = {"address": who, "erased": answer.erased, "events": whole(answer.history)}
    call.show(report, lambda: show(answer.history))


@command(member, "import", example="postroad member import staff@lists.example.org people.csv")
async def import_(
    call: Call,
    list_: List,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV; - reads standard input.")],
) -> int:
    """Put the people of a CSV file onto a list.

    The file has a heading with a column `email`, and may have `display_name` (or `name`) and
    `delivery_mode`. Commas, semicolons and tabs separate. They have agreed, as with `member add
    --confirmed`. Lines that are wrong are named and left out, with exit code 1; an import can be
    repeated, because whoever is on the list already stays as they are.
    """
    from asyncio import gather

    from postroad.cli.ask import ask
    from postroad.cli.people import lines_of, people
    from postroad.cli.progress import progress
    from postroad.cli.road import road
    from schemas.commands import ImportMembers

    lines = lines_of(_bytes(file))
    added = present = 0
    bad: list[tuple[int, str]] = []
    async with road(call.config) as broker:
        with progress("importing", len(lines)) as reached:
            rest = portions(people(lines), bad, ROWS)
            while some := list(islice(rest, AT_ONCE)):
                _, more = some[-1]  # the last of all are answered once they are folded
                requests = [ImportMembers(list=list_, rows=rows, more=more) for rows, _ in some]
                asking = (ask(broker, "import", request) for request in requests)
                for request, answer in zip(requests, await gather(*asking), strict=True):
                    added += answer.changed
                    present += len(request.rows) - len(answer.bad_rows) - answer.changed
                    bad.extend(answer.bad_rows)
                    reached(request.rows[-1].line)
    bad.sort()
    report = {
        "added": added,
        "present": present,
        "bad": [{"line": line, "reason": reason} for line, reason in bad],
    }
    call.show(report, lambda: print(f"added {added}, there already {present}, bad {len(bad)}"))
    if not call.json:
        for line, reason in bad:
            complain(f"line {line}: {reason}")
    return 1 if bad else 0


def change_of(list_: str, address: str, options: Sequence[str]) -> ChangeMember:
    """The change that `key=value` words ask for. Raises UsageError naming what is allowed."""
    from postroad.cli.ask import pairs
    from schemas.commands import ChangeMember

    typed = pairs(options, example="delivery_mode=none")
    for key, value in typed.items():
        if key not in OPTIONS:
            raise UsageError(f"there is no member option {key!r}; there are {', '.join(OPTIONS)}")
        if value not in OPTIONS[key]:
            allowed = ", ".join(word or "(empty)" for word in OPTIONS[key])
            raise UsageError(f"{key}={value}: must be one of {allowed}")
    return msgspec.convert({"list": list_, "address": address, **typed}, ChangeMember)


def portions(
    people: Iterable[ImportRow | BadLine], bad: list[tuple[int, str]], size: int
) -> Iterator[tuple[tuple[ImportRow, ...], bool]]:
    """Rows in portions of `size`, each with whether more follow; bad lines go to `bad`."""
    rows: list[ImportRow] = []
    for found in people:
        if isinstance(found, tuple):
            bad.append(found)
            continue
        if len(rows) == size:
            yield tuple(rows), True
            rows.clear()
        rows.append(found)
    if rows:
        yield tuple(rows), False


async def _each(
    call: Call,
    name: str,
    requests: Sequence[One],
    *,
    done: str,
    already: str,
    role: Role = "member",
) -> int:
    """Ask for each address; refusals do not stop the others, and make the exit code 1."""
    from postroad.cli.ask import attempt, refusal
    from postroad.cli.road import road

    async with road(call.config) as broker:
        answers = [(request.address, await attempt(broker, name, request)) for request in requests]
    if len(answers) == 1 and answers[0][1].refused:
        raise refusal(_naming(*answers[0]))
    report = [
        {
            "address": address,
            "changed": bool(answer.changed) and done != ASKED,
            **({"asked": bool(answer.changed)} if done == ASKED else {}),
            "refused": answer.refused,
        }
        for address, answer in answers
    ]
    as_role = f" as {role}" if role != "member" else ""
    good = [(address, answer) for address, answer in answers if not answer.refused]
    call.show(
        report,
        lambda: print(
            "\n".join(
                f"{address}: {done if one.changed else already}{as_role}" for address, one in good
            )
        ),
    )
    for address, answer in answers:
        if answer.refused and not call.json:
            complain(_naming(address, answer).refused)
    return 1 if len(good) < len(answers) else 0


def _naming(address: str, answer: Answer) -> Answer:
    """A refusal that names whom it is about."""
    if address in answer.refused:
        return answer
    return msgspec.structs.replace(answer, refused=f"{address}: {answer.refused}")


async def _roster(broker: Broker, list_: str, role: Role) -> AsyncIterator[RosterRow]:
    from postroad.cli.ask import ask
    from schemas.commands import RosterPage

    after = ""
    while True:
        page = RosterPage(list=list_, role=role, after=after, limit=PAGE)
        rows = (await ask(broker, "roster", page)).rows
        for row in rows:
            yield row
        if len(rows) < PAGE:
            return
        after = rows[-1].address


def _delivery(row: RosterRow) -> str:
    """How mail reaches them, in one word: the mode, or why there is none."""
    return row.delivery_mode if row.delivery_status == "enabled" else row.delivery_status


def _bytes(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: {(error.strerror or 'cannot be read').lower()}") from None
