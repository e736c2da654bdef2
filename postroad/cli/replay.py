"""`postroad replay`: past mail through the router of today; what differs is sent, where wanted."""

from __future__ import annotations

from typing import Annotated

import typer

from postroad.cli.frame import Call, command
from postroad.cli.simulate import Hooks, NoDns, OnlyDiff

replay = typer.Typer()


@command(
    replay,
    "replay",
    example="postroad replay --list staff@lists.example.org --from 2026-10-01 --dry-run",
)
async def run(  # noqa: PLR0917  a parameter is an option
    call: Call,
    list_: Annotated[
        str, typer.Option("--list", metavar="LIST", help="Its mail; needed to send anything.")
    ] = "",
    from_: Annotated[
        str, typer.Option("--from", metavar="TIME|30d", help="From when on; or how long ago.")
    ] = "30d",
    to: Annotated[
        str, typer.Option("--to", metavar="TIME|1h", help="Up to when; now where it is left out.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Show the difference, send nothing.")
    ] = False,
    only_diff: OnlyDiff = False,
    no_dns: NoDns = False,
    hooks: Hooks = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Do not ask first.")] = False,
) -> int:
    """Run past mail through the rules, settings and code of today, and show what would differ from
    what was decided then: verdicts, recipients, headers.

    Authors and members are those of then, and what moderators decided stays. Without --dry-run what
    would be a post today, and was stopped or did not reach the list, is sent; and copies to those
    who would get one and have none: after a question, or with --yes. Copies that are out stay as
    they are. Who left since gets nothing. Giving it again sends nothing twice.
    """
    from postroad.cli.hindsight.looking import Question, looked
    from postroad.cli.hindsight.sending import replayed
    from postroad.cli.times import since
    from postroad.runtime.clock import now
    from postroad.runtime.errors import UsageError

    end = since(to, now(), "--to", ahead=True) if to else now()
    begin = since(from_, now(), "--from")
    if begin >= end:
        raise UsageError("--from is not before --to: there is no mail between them")
    question = Question(
        list=list_, begin=begin, end=end, dns=not no_dns, hooks=hooks, only_diff=only_diff
    )
    if dry_run:
        await looked(call, question)
        return 0
    if not list_:
        raise UsageError("name the list with --list; for all of them there is only --dry-run")
    return await replayed(call, question, yes=yes)
