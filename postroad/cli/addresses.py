"""`postroad member move` and `member address`: where somebody is reached, and writes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.frame import Call, command, group
from postroad.cli.member import member

if TYPE_CHECKING:
    from schemas.addresses import AddressVerb

__all__ = ["member", "move"]  # the group, with these in it

address = group(
    "address",
    "The addresses that one person has.",
    example="postroad member address ls ann@example.net",
)
member.add_typer(address)
Own = Annotated[str, typer.Argument(metavar="ADDRESS", help="An address that they have.")]
Confirmed = Annotated[
    bool, typer.Option("--confirmed", metavar="", help="NEW is certainly theirs: ask nobody.")
]


@command(member, "move", example="postroad member move ann@example.net ann@example.com")
async def move(
    call: Call,
    old: Annotated[str, typer.Argument(metavar="OLD", help="An address that they have.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="What they have in its place.")],
    confirmed: Confirmed = False,
) -> None:
    """Change somebody's address on every list that they are on.

    NEW is asked by mail, OLD is told, and nothing changes until NEW has said yes. --confirmed
    changes it at once, and writes to nobody. Roles, options and history stay; what came back from
    OLD counts no more. An address that is on a list already, as somebody else, is refused.
    """
    await _change(call, "move", old, new, "moved to {}", confirmed=confirmed)


@command(address, "add", example="postroad member address add ann@example.net ann@example.com")
async def add(
    call: Call,
    own: Own,
    new: Annotated[str, typer.Argument(metavar="NEW", help="One more.")],
    confirmed: Confirmed = False,
) -> None:
    """Give somebody one more address: what comes from it is theirs, copies go where they went.

    NEW is asked by mail and ADDRESS is told, unless with --confirmed.
    """
    await _change(call, "add", own, new, "has {} as well", confirmed=confirmed)


@command(
    address, "prefer", example="postroad member address prefer ann@example.net ann@example.com"
)
async def prefer(
    call: Call,
    own: Own,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="Where copies are to go.")],
) -> None:
    """Have all copies of somebody go to another address that they have."""
    await _change(call, "prefer", own, other, "is reached at {}")


@command(
    address, "remove", example="postroad member address remove ann@example.net ann@example.com"
)
async def remove(
    call: Call,
    own: Own,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="What is theirs no more.")],
) -> None:
    """Take an address away from somebody; not the one where copies go."""
    await _change(call, "drop", own, other, "no longer has {}")


@command(address, "ls", example="postroad member address ls ann@example.net")
async def ls(call: Call, own: Own) -> None:
    """Every address that somebody has; copies go to the first."""
    from postroad.cli.ask import ask
    from postroad.cli.road import road
    from schemas.commands import PersonConsent

    async with road(call.config) as broker:
        person = (await ask(broker, "consent", PersonConsent(address=own))).person
    found = person.addresses if person else ()
    rows = [{"address": one, "preferred": not at} for at, one in enumerate(found)]
    call.show(rows, lambda: print("\n".join(found)))


async def _change(
    call: Call, verb: AddressVerb, own: str, other: str, done: str, *, confirmed: bool = True
) -> None:
    from postroad.cli.ask import ask
    from postroad.cli.road import road
    from schemas.addresses import ChangeAddress

    request = ChangeAddress(verb=verb, own=own, address=other, confirmed=confirmed)
    async with road(call.config) as broker:
        answer = await ask(broker, "member_address", request)
    changed = bool(answer.changed) and not answer.asked
    told = ("{} was asked" if answer.asked else done).format(other)
    call.show(
        {"address": own, "other": other, "changed": changed, "asked": answer.asked},
        lambda: print(f"{own}: {told}{'' if answer.changed else ', as before'}"),
    )
