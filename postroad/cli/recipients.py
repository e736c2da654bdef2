"""`postroad post recipients`: everybody a post was queued for, and what became of each copy."""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import typer

from postroad.cli.frame import Call, command
from postroad.cli.options import OnlyList
from postroad.cli.output import WIDEST, complain, counted
from postroad.cli.post import post
from postroad.runtime.errors import PostroadError, UsageError
from services.membership.actors import ERASED

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker
    from postroad.runtime.projector import Ask
    from postroad.runtime.stored import Stored

__all__ = ["post", "recipients"]  # the group, with this in it

Outcome = Literal["accepted", "deferred", "failed", "departed", "waiting"]
Format = Literal["table", "csv"]
SLICE = 20_000  # people in memory at once
UNNAMED = "not kept"  # whom a letter was to
AT_ONCE = 5_000  # whose addresses are asked for at once


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient, and the last word on their copy. `address` is where they are reached today,
    empty for who was `erased`, and where a letter names nobody (`person` is empty) once its queue
    is deleted; `twice`: they may have two copies; `time` is null where nothing was tried."""

    list: str
    address: str = ""
    person: str
    outcome: str
    code: int = 0
    enhanced: str = ""
    reply: str = ""
    scope: str = ""
    relay: str = ""
    attempts: int = 0
    twice: bool = False
    chunk: str = ""
    time: datetime | None = None
    erased: bool = False

    @property
    def who(self) -> str:
        """They, for people to read."""
        return self.address or (ERASED if self.erased else UNNAMED)


@command(
    post, "recipients", example="postroad post recipients 0199d2c64d30 --outcome failed --json"
)
async def recipients(
    call: Call,
    mail: Annotated[
        str, typer.Argument(metavar="ID", help="Its id, the first digits of it, or a Message-ID.")
    ],
    outcome: Annotated[
        Outcome | None,
        typer.Option(help="Only these; waiting are all to whom a copy is still due, deferred too."),
    ] = None,
    list_: OnlyList = "",
    format_: Annotated[Format, typer.Option("--format", help="How to print them.")] = "table",
) -> None:
    """Every recipient of a post: whether a relay took their copy, what it said, and when.

    One line each, under the address of today, in no order that means anything; a million of them
    take no more memory than a few thousand. Why somebody is not among them says `postroad explain`.
    """
    from postroad.cli.gathering import find_mail, folded
    from postroad.cli.mails import list_addresses
    from postroad.cli.post import slug_of
    from postroad.cli.progress import progress
    from postroad.cli.projected import projected
    from postroad.cli.road import road

    if call.json and format_ == "csv":
        raise UsageError("give one of --json and --format csv, not both")
    async with road(call.config) as broker, projected(call.config, broker) as ask:
        found = await find_mail(broker, ask, mail, await folded(broker))
        addresses = await list_addresses(broker)
        counts = await ask("post_counts", mail=found)
        if list_:
            slug = slug_of(list_, addresses)
            counts = [row for row in counts if row["list"] == slug]
        if not counts:
            raise PostroadError(
                f"no copies were queued of the mail {found}{' at this list' if list_ else ''}; "
                f"`postroad post show {found}` says what became of it"
            )
        show = _printer(call.json, format_)
        total = sum(row["audience"] for row in counts)
        with progress("reading", total) as reached:
            count = 0
            for row in counts:
                place = addresses.get(row["list"]) or str(row["list"])
                async for block in _of_list(broker, ask, found, row, place, outcome or ""):
                    show(block)
                    count += len(block)
                    reached(count)
        show(())
    if not (count or call.json):
        complain(f"nobody of {counted(total, 'recipient')} is {outcome or 'there'}")


async def _of_list(
    broker: Broker, ask: Ask, mail: str, counts: dict[str, Any], place: str, outcome: str
) -> AsyncIterator[list[Recipient]]:
    """The recipients at one list, some at a time."""
    slug, waiting = counts["list"], counts["waiting"] > counts["deferred"]
    queued = _queued(broker, slug, mail) if waiting and outcome in ("", "waiting") else None
    ahead = await _besides(broker, slug, mail) if queued is not None else set()
    last = ""
    tried = "deferred" if outcome == "waiting" else outcome
    for start, stop in slices(counts["audience"]):
        wanted = "" if queued is not None else tried
        about = {"list": slug, "mail": mail, "outcome": wanted, "start": start, "stop": stop}
        rows = await ask("recipients_slice", **about)
        while queued is not None and (not stop or last < stop):
            if (more := await anext(queued, None)) is None:
                break
            ahead |= more
            last = max(more)
        here = {person for person in ahead if not stop or person < stop}
        ahead -= here
        block = [_recipient(row) for row in rows if tried in ("", row["outcome"])]
        block += [
            Recipient(list="", person=person, outcome="waiting")
            for person in sorted(here - {row["person"] for row in rows})
        ]
        if block:
            yield await _addressed(broker, block, place, mail)


def slices(audience: int) -> Iterator[tuple[str, str]]:
    """Where to cut so many people, whose ids are random in hexadecimal digits: first and behind
    the last, empty for the ends."""
    pieces = max(1, -(-audience // SLICE))
    cuts = ["", *[f"{(number << 32) // pieces:08x}" for number in range(1, pieces)], ""]
    return itertools.pairwise(cuts)


async def _queued(broker: Broker, slug: str, mail: str) -> AsyncIterator[set[str]]:
    """Who is in each chunk of the fan-out, in order of person from chunk to chunk."""
    async for stored in broker.scan("SEND", f"mail.send.*.{slug}.{mail}.*"):
        if stored.subject.rpartition(".")[2].isdecimal():
            yield _people(stored)


async def _besides(broker: Broker, slug: str, mail: str) -> set[str]:
    """Those that the list's settings name besides its members."""
    found: set[str] = set()
    async for stored in broker.scan("SEND", f"mail.send.*.{slug}.{mail}.x"):
        found |= _people(stored)
    return found


def _people(stored: Stored) -> set[str]:
    from schemas.road import ChunkQueued

    return {one for each in stored.events() if isinstance(each, ChunkQueued) for one in each.people}


def _recipient(row: dict[str, Any]) -> Recipient:
    names = ("person", "outcome", "code", "enhanced", "reply", "scope", "relay", "attempts")
    said = {name: row[name] for name in names if row[name] is not None}
    return Recipient(
        list="", twice=bool(row["doubtful"]), chunk=row["chunk"], time=row["ts"], **said
    )


async def _addressed(
    broker: Broker, block: list[Recipient], place: str, mail: str
) -> list[Recipient]:
    from postroad.cli.ask import ask
    from postroad.cli.readers import NOBODY, reader
    from schemas.whose import WhereReached

    where: dict[str, str] = {}
    for start in range(0, len(block), AT_ONCE):
        people = tuple(one.person for one in block[start : start + AT_ONCE])
        where |= (await ask(broker, "reached", WhereReached(people=people))).where
    if any(one.person == NOBODY for one in block):
        where[NOBODY] = await reader(broker, mail)
    return sorted(named(block, place, where), key=lambda one: (one.address, one.person))


def named(block: Sequence[Recipient], place: str, where: Mapping[str, str]) -> Iterator[Recipient]:
    """The same with the list's address, and with theirs as far as they have one."""
    for one in block:
        address = where.get(one.person, "")
        erased = bool(one.person) and not address
        yield msgspec.structs.replace(one, list=place, address=address, erased=erased)


def _printer(json: bool, format_: Format) -> Callable[[Sequence[Recipient]], None]:
    """What prints a block, and at the end an empty one."""
    if json:
        return _json()
    return _csv() if format_ == "csv" else _lines


def _json() -> Callable[[Sequence[Recipient]], None]:
    lead = "["

    def show(block: Sequence[Recipient]) -> None:
        nonlocal lead
        for one in block:
            print(lead, msgspec.json.encode(one).decode(), sep="", end="")
            lead = ",\n "
        if not block:
            print("[]" if lead == "[" else "]")

    return show


def _csv() -> Callable[[Sequence[Recipient]], None]:
    from postroad.cli.people import guarded

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(Recipient.__struct_fields__)

    def show(block: Sequence[Recipient]) -> None:
        for one in block:
            said = msgspec.structs.asdict(one) | {"time": one.time.isoformat() if one.time else ""}
            said |= {name: str(said[name]).lower() for name in ("twice", "erased")}
            writer.writerow([guarded(str(value)) for value in said.values()])

    return show


def _lines(block: Sequence[Recipient]) -> None:
    """Lines of at most 100 columns; a longer reply is cut, for there may be very many."""
    wide = min(44, max((len(one.who) for one in block), default=0))
    for one in block:
        said = " ".join(f"{one.code or ''} {one.enhanced} {one.reply}".split())
        time = f"{one.time:%Y-%m-%d %H:%M:%S}" if one.time else ""
        twice = "perhaps twice; " if one.twice else ""
        line = f"{one.who:<{wide}}  {one.outcome:<8}  {time:<19}  {twice}{said}"
        print(line.rstrip() if len(line) <= WIDEST else f"{line[: WIDEST - 1]}…")
