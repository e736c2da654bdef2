"""`postroad up` and `postroad run`: everything under one supervisor, or one service."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import replace
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
Scale = Annotated[
    list[str] | None,
    typer.Option(
        "--scale",
        metavar="SERVICE=N",
        help="Run so many processes of router, membership or sender; repeat for more.",
    ),
]


@command(run, "up", example="postroad up --config /etc/postroad/postroad.toml")
async def up(call: Call, only: Only = None, scale: Scale = None) -> None:
    """Run everything: the embedded broker and all services.

    Whatever dies is started again. Ctrl-C or SIGTERM lets the services finish their work and
    ends them; a second Ctrl-C ends them at once, and nothing accepted is lost either way. On a
    terminal it shows how all is, and log lines above that; elsewhere it writes log lines alone.
    With --only the others are yours to run, here or on other machines; the broker runs in any case.
    """
    from postroad.runtime import logs
    from postroad.runtime.notify import Systemd
    from postroad.runtime.supervisor import Wanted, supervise
    from postroad.runtime.verdict import SUPERVISOR
    from services.membership.letters import site

    site.read(call.config.site.letters_dir, call.config.site.default_language)
    systemd = Systemd.of(os.environ)
    wanted = Wanted(only=only or (), scale=scale or (), systemd=systemd)
    if not sys.stdout.isatty():
        logs.configure(SUPERVISOR)
        await supervise(call.config, wanted)
        return
    from postroad.cli.live import Live

    with Live(call.config) as live:
        logs.configure(SUPERVISOR, out=live)
        await supervise(call.config, replace(wanted, lines=live.lines), live.watch)


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
