"""`postroad up` and `postroad run`: everything under one supervisor, or one service."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from postroad.cli.frame import Call, command
from postroad.runtime.errors import UsageError

run = typer.Typer()
Name = Annotated[
    str,
    typer.Argument(
        metavar="SERVICE",
        help="ingest, router, membership, sender, projector, janitor, monitor, web.",
    ),
]
Once = Annotated[
    bool, typer.Option("--once", metavar="", help="Drain every mailbox, then end (for cron).")
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="SERVICE", help="Run just this service; repeat for more."),
]


@command(run, "up", example="postroad up --config /etc/postroad/postroad.toml")
async def up(call: Call, only: Only = None) -> None:
    """Run everything: the embedded broker and all services.

    Whatever dies is started again. Ctrl-C or SIGTERM lets the services finish their work and
    ends them; a second Ctrl-C ends them at once, and nothing accepted is lost either way. With
    --only the others are yours to run, here or on other machines; the broker runs in any case.
    """
    from postroad.runtime.supervisor import supervise
    from services.membership.letters import site

    site.read(call.config.site.letters_dir, call.config.site.default_language)
    await supervise(call.config, only or ())


@command(run, "run", example="postroad run ingest --once")
async def one(call: Call, service: Name, once: Once = False) -> None:
    """Run one service, beside `postroad up` or on a broker of your own.

    With --once ingest drains every mailbox and ends; where nothing runs, the embedded broker is
    started for that time.
    """
    from postroad.runtime.attach import attach
    from postroad.runtime.service import find, serve

    find(service)
    if once and service != "ingest":
        raise UsageError("--once is for ingest; the others work as long as the road is open")
    call.config.check_files()
    async with contextlib.AsyncExitStack() as stack:
        if once:
            await stack.enter_async_context(attach(call.config, service))
        await serve(service, call.config, once=once)
