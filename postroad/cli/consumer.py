"""`postroad consumer`: who reads which stream up to where, and reading it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.consent import can_ask
from postroad.cli.frame import Call, command, group
from postroad.cli.output import complain, counted, print_wrapped, short, whole
from postroad.runtime.errors import PostroadError

if TYPE_CHECKING:
    from postroad.cli.rereading.preview import Preview

consumer = group(
    "consumer", "Who reads which stream, and up to where.", example="postroad consumer ls"
)

SHOWN = 5  # lists, messages


@command(consumer, "ls", example="postroad consumer ls --json")
async def ls(call: Call) -> None:
    """Every durable consumer: what it was delivered, up to where all is done, what waits, what is
    in hand, and who takes it."""
    from postroad.cli.road import streams
    from postroad.cli.stream import print_consumers
    from postroad.cli.streams.looking import consumed
    from postroad.runtime.rollcall import rollcall
    from postroad.runtime.service import ROAD
    from schemas import subjects

    async with streams(call.config) as broker:
        reports = [] if broker.alone else await rollcall(broker, ROAD)
        durables = (*subjects.DURABLES, *subjects.AGAIN)
        looked = [await consumed(broker, each, reports) for each in durables]
    found = [each for each in looked if each is not None]
    call.show(whole(found), lambda: print_consumers(found))


@command(consumer, "reset", example="postroad consumer reset fanout --to 2h --dry-run")
async def reset(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME|all", help="One from `consumer ls`.")],
    to: Annotated[
        str,
        typer.Option(
            metavar="SEQ|TIME",
            help="A sequence of its stream, a time (2h, 2026-10-01), or 0, the beginning.",
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Only say what would happen.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Do not ask first.")] = False,
) -> int:
    """Have a consumer read its stream again, while everything goes on.

    Says first what it would be given: how many messages of which kinds and lists, how many of them
    have their outcome recorded, and so do nothing, and which have none, and would be dealt with as
    if they came now. Nobody gets a second copy of what is recorded. Messages that are not dealt
    with yet are never passed over.
    """
    from postroad.cli.progress import progress
    from postroad.cli.rereading.position import named, position, sequence
    from postroad.cli.rereading.preview import preview
    from postroad.cli.rereading.resetting import reset as begin_anew
    from postroad.cli.road import streams
    from postroad.runtime.clock import now

    durables = named(name)
    wanted = position(to, now(), several=len(durables) > 1)
    async with streams(call.config) as broker:
        found = []
        for durable in durables:
            with progress(durable.name) as told:
                start = await sequence(broker, durable, wanted)
                found.append(await preview(broker, durable, start, told))
        if not call.json:
            for each in found:
                _print(each)
        _check(found)
        done = False
        asks = can_ask(call)
        if not dry_run and (yes or (asks and typer.confirm(_question(found)))):
            for durable, each in zip(durables, found, strict=True):
                await begin_anew(broker, durable, each.start)
            done = True
    call.show({"reset": done, "consumers": whole(found)}, lambda: _print_done(done=done))
    if not (dry_run or yes or asks):
        complain("add --yes to have it done: nobody can be asked here")
        return 2
    return 0


def _check(found: Sequence[Preview]) -> None:
    """Raises PostroadError where messages would never be dealt with."""
    for each in found:
        if each.passed_over:
            raise PostroadError(
                f"{each.consumer} is not done with {counted(each.passed_over, 'message')} before "
                f"{each.stream} {each.start}: nobody would deal with them; give an earlier --to"
            )


def _question(found: Sequence[Preview]) -> str:
    acts = sum(each.acts for each in found)
    really = f", of which {acts:,} would be dealt with anew" if acts else ""
    again = counted(sum(each.messages for each in found), "message")
    return f"Have {again} read again{really}?"


def _print(found: Preview) -> None:
    if not found.messages:
        print(f"{found.consumer}: nothing from {found.stream} {found.start} on")
        return
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.kinds.items())
    when = f"{found.first.replace('T', ' ')} to {found.last.replace('T', ' ')} UTC"
    print_wrapped(
        f"{found.consumer}: {counted(found.messages, 'message')} of {found.stream} from "
        f"{found.start} on ({kinds}), {when}"
    )
    if found.lists:
        some = [f"{slug} {count:,}" for slug, count in list(found.lists.items())[:SHOWN]]
        more = [f"{len(found.lists) - SHOWN} more"] if len(found.lists) > SHOWN else []
        print_wrapped(f"lists: {', '.join([*some, *more])}", "  ")
    print(f"  {found.done:,} have their outcome recorded: nothing happens")
    if found.dropped:
        print(f"  {found.dropped:,} were parked and dropped: nothing happens")
    if found.looks:
        print_wrapped(
            f"{found.looks:,} are looked at again: they led to nothing that is kept, and may again",
            "  ",
        )
    if found.acts:
        print(f"  {found.acts:,} have none, and would be dealt with as if they came now:")
        for each in found.acting[:SHOWN]:
            about = " ".join(filter(None, (each.kind, short(each.mail), each.list)))
            print(f"    {found.stream} {each.seq}: {about}")
        if found.acts > SHOWN:
            print(f"    and {found.acts - SHOWN:,} more")


def _print_done(*, done: bool) -> None:
    print("it is read again; postroad consumer ls shows how far" if done else "nothing is changed")
