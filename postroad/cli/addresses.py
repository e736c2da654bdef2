"""`postroad member move`: somebody is reached at another address."""

from __future__ import annotations

from typing import Annotated

import typer

from postroad.cli.frame import Call, command
from postroad.cli.member import member

__all__ = ["member", "move"]  # the group, with this in it


@command(member, "move", example="postroad member move ann@example.net ann@example.com")
async def move(
    call: Call,
    old: Annotated[str, typer.Argument(metavar="OLD", help="Where somebody is reached today.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Where they are to be reached.")],
    confirmed: Annotated[
        bool,
        typer.Option("--confirmed", metavar="", help="NEW is certainly theirs: ask nobody."),
    ] = False,
) -> None:
    """Change somebody's address on every list that they are on.

    NEW is asked by mail, OLD is told, and nothing changes until NEW has said yes. --confirmed
    changes it at once, and writes to nobody. Roles, options and history stay; what came back from
    OLD counts no more. An address that is on a list already, as somebody else, is refused.
    """
    from postroad.cli.ask import ask
    from postroad.cli.road import road
    from schemas.addresses import MoveMember

    request = MoveMember(old=old, new=new, confirmed=confirmed)
    async with road(call.config) as broker:
        answer = await ask(broker, "member_move", request)
    changed = bool(answer.changed)
    done = f"moved to {new}" if confirmed else f"{new} was asked"
    call.show(
        {"old": old, "new": new, "changed": changed and confirmed, "asked": changed > confirmed},
        lambda: print(f"{old}: {done if changed else f'moved to {new} already'}"),
    )
