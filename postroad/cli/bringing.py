"""`postroad import`: lists of another list system, brought here with their people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroad.cli.frame import Call, command, group
from postroad.cli.output import SHOWN, away_words, complain, counted, print_table, print_wrapped
from schemas.membership import Role

if TYPE_CHECKING:
    from postroad.cli.mailman.bring import Brought
    from postroad.cli.mailman.plan import Plan
    from postroad.cli.mailman.settings import Line

import_ = group(
    "import", "Lists of a Mailman, brought here.", example="postroad import mailman3 answers/"
)
DryRun = Annotated[
    bool, typer.Option("--dry-run", metavar="", help="Only report: no service is asked.")
]
Again = Annotated[
    bool, typer.Option("--again", metavar="", help="Also who left here, or was removed, since.")
]


@command(import_, "mailman3", example="postroad import mailman3 answers/ --dry-run")
async def mailman3(
    call: Call,
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="Folder or file of answers of the REST API.")
    ],
    dry_run: DryRun = False,
    again: Again = False,
) -> int:
    """Make the lists of a Mailman 3, with their settings and people.

    PATH has what its REST API answers, as docs/examples/mailman3-export.sh saves it. A report tells
    which settings are taken, which are so by default, and which have no equivalent. Nobody gets
    mail of it. It can be repeated: a list that is there keeps its settings, and whoever is on it
    stays as they are; who left here since stays away, unless with --again.
    """
    from postroad.cli.mailman import sources

    found, unknown = sources.mailman3(path)
    if unknown:
        complain(f"{path}: {counted(unknown, 'answer')} of no kind that is known were left out")
    return await _bring(call, found, "Mailman 3", dry_run=dry_run, again=again)


@command(import_, "mailman2", example="postroad import mailman2 /var/lib/mailman/lists --dry-run")
async def mailman2(
    call: Call,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="A config.pck, a folder with such in it, or a text of members."
        ),
    ],
    list_: Annotated[
        str, typer.Option("--list", metavar="ADDRESS", help="The list, where PATH is of one.")
    ] = "",
    role: Annotated[Role, typer.Option(help="Of those in a text of members.")] = "member",
    dry_run: DryRun = False,
    again: Again = False,
) -> int:
    """Make the lists of a Mailman 2, with their settings and people.

    A config.pck is read without running anything of it. Where the folder has Mailman's logs named
    subscribe as well, they tell since when somebody is on a list. A text has one address a line, as
    list_members writes it. The rest is as with mailman3.
    """
    from postroad.cli.mailman import sources

    found = sources.mailman2(path, address=list_, role=role)
    return await _bring(call, found, "Mailman 2", dry_run=dry_run, again=again)


async def _bring(call: Call, found: Sequence[Any], how: str, *, dry_run: bool, again: bool) -> int:
    from postroad.cli.mailman.plan import plans

    made = plans(found)
    if dry_run:
        brought: Sequence[Brought | None] = [None] * len(made)
    else:
        from postroad.cli.mailman.bring import bring

        brought = await bring(call.config, made, how, back=again)
    pairs = list(zip(made, brought, strict=True))
    call.show([_report(*pair) for pair in pairs], lambda: _print(pairs))
    wrong = any(plan.bad or plan.refused for plan in made)
    return 1 if wrong or any(one and (one.bad or one.refused) for one in brought) else 0


def _report(plan: Plan, brought: Brought | None) -> Mapping[str, Any]:
    """One list for a program: every setting of it, whatever became of it."""
    return {
        "list": plan.address,
        "people": dict(_count(plan)),
        "settings": [line._asdict() for line in plan.report],
        "losses": [{"what": what, "why": why} for what, why in plan.losses],
        "bad": [{"address": address, "reason": why} for address, why in _bad(plan, brought)],
        "dry_run": brought is None,
        "refused": plan.refused or (brought.refused if brought else ""),
        "created": bool(brought and brought.created),
        "added": brought.added if brought else 0,
        "present": brought.present if brought else 0,
        "away": [
            {"address": address, "reason": why}
            for address, why in (brought.away if brought else ())
        ],
        "warning": brought.warning if brought else "",
        "command": brought.command if brought else "",
    }


def _print(pairs: Sequence[tuple[Plan, Brought | None]]) -> None:
    for at, (plan, brought) in enumerate(pairs):
        if at:
            print()
        who = ", ".join(counted(count, role) for role, count in _count(plan).items()) or "nobody"
        print_wrapped(f"{plan.address}: {_became(plan, brought)}{who}")
        told = [line for line in plan.report if line.outcome != "default" or line.why]
        if told:
            print_table(
                ("setting", "in Mailman", "here"),
                ((line.setting, line.was, _here(line)) for line in told),
            )
        same = len(plan.report) - len(told)
        if same:
            print(f"{counted(same, 'setting is', 'settings are')} the same by default.")
        for what, why in plan.losses:
            print_wrapped(f"not taken: {what}: {why}")
        if brought and brought.warning:
            complain(brought.warning)
        for address, why in brought.away[:SHOWN] if brought else ():
            complain(f"{plan.address}: {address} stays away: {why}")
        for address, why in _bad(plan, brought):
            complain(f"{plan.address}: {address}: {why}")


def _here(line: Line) -> str:
    """What became of a setting, in words."""
    if line.outcome == "none":
        return f"no equivalent: {line.why}"
    if line.outcome == "default":
        return line.why
    return "the same" if line.now == line.was else line.now


def _became(plan: Plan, brought: Brought | None) -> str:
    refused = plan.refused or (brought.refused if brought else "")
    if refused:
        return f"left out, {refused}; "
    if brought is None:
        return "would be made with "
    state = "made" if brought.created else "there already, its settings stay"
    away = away_words(brought.away)
    return f"{state}; added {brought.added:,}, there already {brought.present:,}{away}; "


def _count(plan: Plan) -> Counter[str]:
    return Counter(row.role for row in plan.rows)


def _bad(plan: Plan, brought: Brought | None) -> Iterator[tuple[str, str]]:
    yield from plan.bad
    if brought:
        yield from brought.bad
