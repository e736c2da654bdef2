"""`postroad retention`: what the janitor would delete now, and why the rest stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.durations import seconds
from postroad.cli.frame import Call, command
from postroad.cli.output import complain, print_table

if TYPE_CHECKING:
    from services.janitor.sweep import Tally

KINDS = {"mails": "mails", "sendings": "posts and letters sent", "parked": "parked messages"}
WHY = {
    "young": "not old enough yet",
    "undecided": "the router is not done with them",
    "held": "held, waiting for a verdict",
    "underway": "being copied, answered or counted",
    "sending": "copies are on their way",
    "scheduled": "copies are tried again later",
    "parked": "a message of them is parked: nobody has resolved it",
    "unknown": "the projector does not know them to be finished",
}

retention = typer.Typer()


@command(retention, "retention", example="postroad retention --dry-run")
async def show(
    call: Call,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="As without: nothing is ever deleted.")
    ] = False,
) -> None:
    """What the janitor would delete now, and of what is old enough how much stays, and why.

    It looks at what is as old as [retention] says, in time that Postroad ran; this deletes nothing.
    """
    from postroad.cli.projected import projected
    from postroad.cli.road import streams
    from postroad.runtime.diary import Kept
    from services.janitor.sweep import Ages, Sweep

    del dry_run
    async with streams(call.config) as broker, projected(call.config, broker) as ask:
        diary = await Kept(broker).load()
        found = await Sweep(broker, ask, Ages.of(call.config.retention), dry=True).run(diary)
    if not diary.marks and not call.json:
        complain("no janitor has run here yet: `postroad up` starts it")
    report = {
        "lived_days": round(diary.lived / 86_400, 3),
        "delete": {kind: found.gone[kind] for kind in KINDS},
        "keep": {kind: dict(found.kept.get(kind, {})) for kind in KINDS},
    }
    call.show(report, lambda: _print(found, diary.lived))


def _print(found: Tally, lived: float) -> None:
    print(f"the janitor has lived through {seconds(lived)}")
    print_table(("", "how many", "why"), _rows(found), whole=2)


def _rows(found: Tally) -> Iterator[tuple[str, str, str]]:
    for kind, name in KINDS.items():
        if found.gone[kind]:
            yield f"{name}: would go", f"{found.gone[kind]:,}", "finished, and old enough"
        for why, count in sorted(found.kept.get(kind, {}).items()):
            yield f"{name}: stay", f"{count:,}", WHY[why]
    if not (found.gone or found.kept):
        yield "nothing", "0", "is old enough yet"
