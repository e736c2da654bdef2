"""`postroad status`: is it healthy, and if not, what helps."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.frame import Call, command
from postroad.cli.output import print_table, print_wrapped

if TYPE_CHECKING:
    from postroad.runtime.condition import Status

WATCH_SECONDS = 2.0
CLEAR = "\x1b[H\x1b[2J"  # a terminal

status = typer.Typer()
Watch = Annotated[
    bool,
    typer.Option("--watch", metavar="", help="Look again every two seconds, until Ctrl-C."),
]


@command(status, "status", example="postroad status --json")
async def show(call: Call, watch: Watch = False) -> int:
    """Every service, the mail that waits before it, every source and relay, disk and clock.

    The exit code is 0 when healthy, 1 when degraded, 2 when down. With --watch on a terminal the
    page is drawn anew each time; elsewhere, and with --json, one answer follows the other.
    """
    from postroad.cli.road import quiet
    from postroad.runtime.status import status as look

    quiet()
    while True:
        found = await look(call.config)
        if watch and not call.json:
            _turn_over()
        if not watch:
            return call.judge(found.exit_code, found, lambda found=found: _print(found))  # type: ignore[misc]
        call.show(found, lambda found=found: _print(found))  # type: ignore[misc]
        await asyncio.sleep(WATCH_SECONDS)


def _turn_over() -> None:
    import sys

    print(CLEAR if sys.stdout.isatty() else "", end="" if sys.stdout.isatty() else "\n")


def _print(found: Status) -> None:
    from postroad.cli import statuspage

    print(f"Postroad is {found.state}")
    for problem in found.problems:
        print_wrapped(problem, "  ")
    for warning in found.warnings:
        print_wrapped(f"warning: {warning}", "  ")
    print()
    if found.broker.state == "down":
        for line, indent in statuspage.machine(found):
            print_wrapped(line, indent)
        return
    stages = map(statuspage.stage, found.stages)
    print_table(statuspage.STAGES, stages, whole=statuspage.STAGES_WHOLE)
    if found.sources or found.relays:
        print()
        print_table(statuspage.PEERS, statuspage.peers(found), whole=4)
    print()
    for line, indent in (*statuspage.errors(found), *statuspage.below(found)):
        print_wrapped(line, indent)
