"""`postroad member erase`: a person is forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from postroad.cli.consent import can_ask
from postroad.cli.frame import Call, command
from postroad.cli.member import DryRun
from postroad.cli.output import complain, counted, print_table, whole
from postroad.cli.undo import member

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker
    from schemas.erasure import Erased

__all__ = ["erase", "member"]  # the group, with this in it

SHARED: Sequence[Literal["SEND", "DEADLETTER"]] = ("SEND", "DEADLETTER")
SECONDS = 20.0  # for an answer: a large roster is written anew meanwhile


@command(member, "erase", example="postroad member erase ann@example.net --dry-run")
async def erase(
    call: Call,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Whom to forget.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Do not ask first.")] = False,
    dry_run: DryRun = False,
) -> int:
    """Forget a person: they leave every list, and what we keep of them is overwritten.

    Says first what that is, and asks; without a terminal, or with --json, it needs --yes, else the
    exit code is 2. It cannot be undone, and they are not told. Events stay without saying whose
    they are, and who joins again is somebody new. What is still at work, or needed for bounces, is
    left, and said: given again after that time, the command erases it.
    """
    from postroad.cli.road import road

    async with road(call.config) as broker:
        found = await erased(broker, address, dry=True)
        if not call.json:
            print_table(("", ""), _rows(found), whole=1)
        asks = can_ask(call)
        go = not dry_run and (yes or (asks and typer.confirm(f"Forget {address} for ever?")))
        if go:
            found = _together(found, await erased(broker, address, dry=False))
    (row,) = whole([found])
    report = {name: value for name, value in row.items() if name != "after"}
    done = go and not found.moved
    call.show({**report, "erased": done}, lambda: print(_said(found)) if done else None)
    if go and found.moved:
        complain(f"{address} was given up: the person is not erased; give {found.moved}")
        return 1
    if not (go or dry_run or asks):
        complain("add --yes to have it erased: nobody can be asked here")
        return 2
    return 0


async def erased(broker: Broker, address: str, *, dry: bool) -> Erased:
    """Have everything erased, or counted: what streams hold first, while it is known which other
    addresses the person has."""
    from postroad.cli.ask import Unanswered, attempt, refusal
    from postroad.cli.progress import progress
    from schemas.commands import EraseMember

    async def one(request: EraseMember) -> Erased:
        try:
            answer = await attempt(broker, "member_erase", request, seconds=SECONDS)
        except Unanswered:  # killed meanwhile, perhaps: again finishes the rest
            answer = await attempt(broker, "member_erase", request, seconds=SECONDS)
        if answer.erasure is None:
            raise refusal(answer)
        return answer.erasure

    parts = []
    for stream in SHARED:
        after, end = 0, (await broker.api(f"STREAM.INFO.{stream}"))["state"]["last_seq"]
        with progress(f"looking through {stream}", end) as reached:
            while True:
                ask = EraseMember(address=address, stream=stream, after=after, dry=dry)
                parts.append(await one(ask))
                if not (after := parts[-1].after):
                    break
                reached(after)
    return msgspec.structs.replace(
        await one(EraseMember(address=address, dry=dry)),
        letters=sum(part.letters for part in parts),
        chunks=sum(part.chunks for part in parts),
        dead=sum(part.dead for part in parts),
        kept=sum(part.kept for part in parts),
        until=max(part.until for part in parts),
    )


def _together(planned: Erased, found: Erased) -> Erased:
    """What was erased, though a part of it by a request whose answer was lost: whatever was planned
    and is not kept."""
    return msgspec.structs.replace(
        found,
        known=planned.known or found.known,
        **{
            name: tuple(sorted({*getattr(planned, name), *getattr(found, name)}))
            for name in ("addresses", "asked", "lists")
        },
        **{
            name: max(getattr(planned, name), getattr(found, name))
            for name in ("questions", "letters", "chunks", "dead")
        },
    )


def _rows(found: Erased) -> Iterator[tuple[str, str]]:
    """What will be erased, and what stays."""
    yield "addresses", "\n".join(found.addresses) if found.known else "nobody's"
    if found.moved:
        yield "not erased", f"who gave it up, and is reached at {found.moved} now: give that"
    if found.asked:
        yield "asked for, too", "\n".join(found.asked)
    if found.lists:
        yield "leaves", "\n".join(found.lists)
    for count, what in (
        (found.questions, "questions, requests"),
        (found.letters, "letters to them"),
        (found.chunks, "queues of copies"),
        (found.dead, "parked messages"),
    ):
        if count:
            yield what, f"{count:,}"
    if found.kept:
        yield "stays for now", f"{_kept(found)}, until {found.until[:10]}"
    if found.named:
        yield (
            "stays",
            "\n".join(
                f"in settings or texts of {list_}, or their history" for list_ in found.named
            ),
        )


def _said(found: Erased) -> str:
    """What was done, and what is left."""
    counts = (found.questions, found.letters, found.chunks, found.dead, found.kept)
    if not (found.known or found.named or any(counts)):
        return "nothing more of it is kept but in mail itself, until its own age (docs/privacy.md)"
    left = f"; {_kept(found)}: give the command again after {found.until[:10]}" * bool(found.kept)
    if found.kept and len(found.addresses) + len(found.asked) > 1:
        left += ", with each of these addresses"
    anew = "; the roster's file is still being written anew" * found.rewriting
    return f"erased{left}{anew}; mail that they wrote stays until its own age (docs/privacy.md)"


def _kept(found: Erased) -> str:
    return counted(found.kept, "queued or parked message names them", "queued or parked name them")
