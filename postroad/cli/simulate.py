"""`postroad simulate`: what another setting would have done with past mail."""

from __future__ import annotations

from typing import Annotated

import typer

from postroad.cli.frame import Call, command
from postroad.cli.options import Since

simulate = typer.Typer()

OnlyDiff = Annotated[
    bool, typer.Option("--only-diff", metavar="", help="Show only mails that differ.")
]
NoDns = Annotated[
    bool,
    typer.Option("--no-dns", metavar="", help="Ask no name server: what one said then holds."),
]
Hooks = Annotated[
    bool, typer.Option("--hooks", metavar="", help="Ask hooks as well, which may do anything.")
]


@command(
    simulate,
    "simulate",
    example="postroad simulate staff@lists.example.org default_nonmember_action=accept",
)
async def run(
    call: Call,
    list_: Annotated[str, typer.Argument(metavar="LIST")],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="As for `list set`.")
    ] = None,
    since: Since = "30d",
    only_diff: OnlyDiff = False,
    no_dns: NoDns = False,
    hooks: Hooks = False,
) -> None:
    """What a setting of a list would have done with its past mail.

    Runs it through the router under the settings of today, and under those with the change, and
    shows which verdicts, recipients or headers would differ. Authors stand as they stood then, and
    what moderators decided on held mail counts. `key+=value` and `key-=value` add and take away.

    Nothing is sent, stored or changed.
    """
    from postroad.cli.ask import pairs
    from postroad.cli.hindsight.looking import Question, looked
    from postroad.cli.times import since as since_time
    from postroad.cli.typed import texts
    from postroad.runtime.clock import now
    from postroad.runtime.errors import UsageError

    typed = texts(pairs(settings or (), example="default_nonmember_action=accept"))
    if not typed:
        raise UsageError("say what to change, such as default_nonmember_action=accept")
    question = Question(
        list=list_,
        begin=since_time(since, now()),
        end=now(),
        settings=typed,
        dns=not no_dns,
        hooks=hooks,
        only_diff=only_diff,
    )
    await looked(call, question)
