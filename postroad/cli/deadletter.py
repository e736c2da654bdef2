"""`postroad deadletter`: what nobody could process, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from postroad.cli.consent import agreed
from postroad.cli.frame import Call, command, group
from postroad.cli.output import complain, counted, print_table, print_wrapped, whole
from postroad.runtime.errors import PostroadError, UsageError

if TYPE_CHECKING:
    from postroad.cli.parking.sending import Done
    from postroad.cli.parking.words import Letter, Row
    from postroad.runtime.broker import Broker

deadletter = group(
    "deadletter", "Messages that nobody could process.", example="postroad deadletter ls"
)

AT_ONCE = 32
T = TypeVar("T")
R = TypeVar("R")

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help="Numbers or ids from `deadletter ls`.", show_default=False),
]
All = Annotated[bool, typer.Option("--all", metavar="", help="All that the filters leave.")]
Stage = Annotated[
    str, typer.Option(metavar="NAME", help="Only of this service, or of this consumer.")
]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Only where the reason has this in it.")]
Since = Annotated[str, typer.Option(metavar="TIME", help="Only what was parked since: 2h, 3d.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Do not ask first.")]
DryRun = Annotated[bool, typer.Option("--dry-run", metavar="", help="Only say what would happen.")]


@command(deadletter, "ls", example="postroad deadletter ls --stage router --since 2d")
async def ls(
    call: Call,
    stage: Stage = "",
    reason: Reason = "",
    since: Since = "",
    resolved: Annotated[
        bool, typer.Option("--resolved", metavar="", help="Those that were resolved, too.")
    ] = False,
) -> None:
    """What is parked and waits for a person, the oldest first: what it is, and why."""
    from postroad.cli.mails import list_addresses
    from postroad.cli.parking.letters import letters
    from postroad.cli.parking.words import row
    from postroad.cli.road import streams

    async with streams(call.config) as broker:
        lists = await list_addresses(broker)
        found = [each for each in await letters(broker) if resolved or each.resolved is None]
        rows = [row(each, lists) for each in _filtered(found, stage, reason, since)]
    call.show(whole(rows), lambda: _print_rows(rows))


@command(deadletter, "show", example="postroad deadletter show 12 --raw message.json")
async def show(
    call: Call,
    id_: Annotated[str, typer.Argument(metavar="ID", help="Its number or id from `ls`.")],
    raw: Annotated[
        str, typer.Option(metavar="FILE", help="Save its octets as they are, or - to print them.")
    ] = "",
    mail: Annotated[
        str, typer.Option(metavar="FILE", help="Save the mail that it is of, as it came.")
    ] = "",
) -> None:
    """One parked message: what it is, why and where it failed, how often, and its octets.

    The octets may hold addresses, as the message did; a terminal shows them and obeys none.
    """
    from postroad.cli.mails import list_addresses
    from postroad.cli.parking.letters import chosen, letters
    from postroad.cli.parking.saving import save
    from postroad.cli.parking.sending import judge
    from postroad.cli.parking.words import mail_of, row, trace
    from postroad.cli.road import streams
    from postroad.cli.streams.plain import safe

    async with streams(call.config) as broker:
        (letter,) = chosen(await letters(broker, whole=True), [id_])
        octets = letter.parked.data if letter.parked else await _octets(broker, letter)
        if raw:
            save(octets, raw)
        if mail:
            save(await _mail(broker, *mail_of(octets)), mail)
        told = row(letter, await list_addresses(broker))
        hopeless = "" if letter.resolved else await judge(broker, letter)
    if raw or mail:
        return
    traced = trace(letter.parked) if letter.parked else ""
    data = {
        **whole([told])[0],
        "trace": traced,
        "cannot_be_requeued": hopeless,
        "data": safe(octets, len(octets)),
    }
    call.show(data, lambda: _print_one(told, traced, hopeless, safe(octets)))


@command(deadletter, "requeue", example="postroad deadletter requeue 12 14")
async def requeue(
    call: Call,
    ids: Ids = None,
    *,
    all_: All = False,
    stage: Stage = "",
    reason: Reason = "",
    since: Since = "",
    dry_run: DryRun = False,
    yes: Yes = False,
) -> int:
    """Have parked messages processed once more, after what was wrong is mended.

    Each goes to the service that could not process it, as the message that it was: whatever is done
    of it already is not done again, so nobody has a second copy, however often this is given. What
    fails again is parked again. The exit code is 1 where one cannot be requeued or is parked again.
    """
    from postroad.cli.parking.sending import Done, judge, outcome, resolve
    from postroad.cli.road import streams

    async with streams(call.config) as broker:
        found = await _named(broker, ids or [], all_, stage, reason, since, requeue=True)
        refused = await _each(found, lambda letter: judge(broker, letter))
        able = [letter for letter, why in zip(found, refused, strict=True) if not why]
        done = [
            Done(seq=letter.seq, id=letter.id, result="refused", why=why)
            for letter, why in zip(found, refused, strict=True)
            if why
        ]
        if dry_run:
            done += [Done(seq=each.seq, id=each.id, result="would") for each in able]
        elif able:
            if all_ and not agreed(call, f"Requeue {_messages(len(able))}?", yes=yes):
                return 2
            sent = await _each(able, lambda letter: resolve(broker, letter, "requeued"))
            late = asyncio.get_running_loop().time() + (0.0 if broker.alone else _patience(able))
            waiting = [pair for pair in zip(able, sent, strict=True) if pair[1].order]
            done += [each for each in sent if not each.order]
            done += await _each(waiting, lambda pair: outcome(broker, *pair, late))
    done.sort(key=lambda each: each.seq)
    call.show(whole(done), lambda: _print_done(done, running=not broker.alone))
    return 1 if any(each.result in ("refused", "parked") for each in done) else 0


@command(deadletter, "drop", example='postroad deadletter drop 12 --why "test mail of ours"')
async def drop(
    call: Call,
    ids: Ids = None,
    *,
    all_: All = False,
    stage: Stage = "",
    reason: Reason = "",
    since: Since = "",
    why: Annotated[str, typer.Option(metavar="TEXT", help="Why, for whoever asks later.")] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
) -> int:
    """Give parked messages up for good: nobody processes them any more, also when consumers are
    reset.

    Who dropped what, and why, is kept; the message goes at its age ([retention] deadletter). Until
    then `requeue` takes it back.
    """
    from postroad.cli.mails import list_addresses
    from postroad.cli.parking.sending import Done, resolve
    from postroad.cli.parking.words import row
    from postroad.cli.road import streams

    async with streams(call.config) as broker:
        found = await _named(broker, ids or [], all_, stage, reason, since, requeue=False)
        if dry_run:
            done = [Done(seq=each.seq, id=each.id, result="would") for each in found]
        elif found:
            if not (yes or call.json):
                lists = await list_addresses(broker)
                _print_rows([row(each, lists) for each in found], hint=False)
            if not agreed(call, f"Drop {_messages(len(found))} for good?", yes=yes):
                return 2
            done = await _each(found, lambda each: resolve(broker, each, "dropped", why))
        else:
            done = []
    call.show(whole(done), lambda: _print_done(done, running=True))
    return 0


async def _named(
    broker: Broker,
    ids: Sequence[str],
    all_: bool,
    stage: str,
    reason: str,
    since: str,
    *,
    requeue: bool,
) -> list[Letter]:
    """What a command is about. Raises UsageError, PostroadError."""
    from postroad.cli.parking.letters import chosen, letters

    if bool(ids) == all_:
        raise UsageError("say which: numbers or ids from `postroad deadletter ls`, or --all")
    if ids and (stage or reason or since):
        raise UsageError("--stage, --reason and --since choose among --all; leave the ids out")
    found = await letters(broker, whole=True)
    if all_:
        return _filtered([each for each in found if not each.resolved], stage, reason, since)
    named = chosen(found, ids)
    for each in named:  # what was dropped can be taken back; anything else is over
        if each.resolved and not (requeue and each.resolved.how == "dropped"):
            complain(f"{each.seq} was {each.resolved.how} {each.resolved_at:%Y-%m-%d %H:%M} UTC")
    return [
        each for each in named if not each.resolved or (requeue and each.resolved.how == "dropped")
    ]


def _filtered(found: Sequence[Letter], stage: str, reason: str, since: str) -> list[Letter]:
    """Those that the filters leave. Raises UsageError for a stage that is none."""
    from postroad.cli.parking import words
    from postroad.cli.times import since as since_when
    from postroad.runtime.clock import now

    if stage and stage not in (names := _stages()):
        raise UsageError(f"there is no stage {stage!r}; there are: {', '.join(names)}")
    start = since_when(since, now()) if since else None
    return [
        each
        for each in found
        if (not stage or stage in (words.stage(each), words.consumer(each)))
        and reason.lower() in words.why(each).lower()
        and (start is None or each.at >= start)
    ]


def _stages() -> list[str]:
    from schemas import subjects

    services = [each.name.removesuffix("-again") for each in subjects.AGAIN]
    return [*services, *(each.name for each in subjects.DURABLES if each.name not in services)]


async def _each(rows: Sequence[T], do: Callable[[T], Awaitable[R]]) -> list[R]:
    """Do it with each, some at once; what came of each, in their order."""
    from postroad.cli.progress import progress

    room, done = asyncio.Semaphore(AT_ONCE), 0
    with progress("messages", len(rows)) as reached:

        async def one(row: T) -> R:
            nonlocal done
            async with room:
                result = await do(row)
            done += 1
            reached(done)
            return result

        return list(await asyncio.gather(*map(one, rows)))


async def _octets(broker: Broker, letter: Letter) -> bytes:
    """What stands in DEADLETTER itself, where that is no parked message."""
    found = await broker.get("DEADLETTER", letter.seq)
    return found.data if found else b""


async def _mail(broker: Broker, mail: str, part: int) -> bytes:
    """The mail that an event goes by. Raises PostroadError where there is none."""
    chunks = {}
    if mail:
        async for stored in broker.scan("RAW", f"raw.{mail}.{part}.*"):
            chunks[int(stored.subject.rpartition(".")[2])] = stored.data
    if not chunks:
        raise PostroadError("there is no mail that it is of, or it is deleted")
    return b"".join(chunks[index] for index in sorted(chunks))


def _patience(able: Sequence[object]) -> float:
    from postroad.cli.parking.sending import PATIENCE_SECONDS

    return PATIENCE_SECONDS + len(able) / 100


def _messages(count: int) -> str:
    return counted(count, "parked message")


def _print_rows(rows: Sequence[Row], *, hint: bool = True) -> None:
    if not rows:
        print("nothing is parked")
        return
    print_table(
        ("number", "parked (UTC)", "stage", "what it is, and why"),
        ((each.seq, f"{each.at:%m-%d %H:%M:%S}", _stage(each), _about(each)) for each in rows),
        whole=3,
    )
    if hint:
        print(
            "\nto look at one: postroad deadletter show NUMBER; once it is mended: requeue NUMBER"
        )


def _stage(row: Row) -> str:
    return row.stage if row.consumer in (row.stage, "") else f"{row.stage} ({row.consumer})".strip()


def _about(row: Row) -> str:
    tries = f" ({row.attempts} tries)" if row.attempts > 1 else ""
    resolved = f"{row.resolved} by {row.resolved_by}" if row.resolved else ""
    why = f": {row.resolved_why}" if row.resolved_why else ""
    lines = (row.what, f"{row.family}: {row.reason}{tries}" if row.family else "", resolved + why)
    return "\n".join(filter(None, lines))


def _print_one(row: Row, trace: str, hopeless: str, octets: str) -> None:
    resolved = f"{row.resolved} {row.resolved_at:%Y-%m-%d %H:%M:%S} UTC" if row.resolved else ""
    facts = (
        ("number", row.seq),
        ("id", row.id),
        (
            "parked",
            f"{row.at:%Y-%m-%d %H:%M:%S} UTC, after {counted(row.attempts, 'try', 'tries')}",
        ),
        ("what", row.what),
        ("message", f"{row.stream} {row.message}" if row.stream else "none that is known here"),
        ("subject", row.subject),
        ("stage", f"{row.stage or 'none of ours'} (consumer {row.consumer})"),
        (
            "because",
            f"{row.family}: {row.reason}" if row.family else "this release does not know it",
        ),
        *((("resolved", f"{resolved} by {row.resolved_by}"),) if resolved else ()),
        *((("why", row.resolved_why),) if row.resolved_why else ()),
        *((("requeue", f"cannot be: {hopeless}"),) if hopeless else ()),
    )
    print_table(("", ""), facts, whole=1)
    for heading, text in (("traceback", trace), (f"{row.octets:,} octets", octets)):
        if text:
            print(f"\n{heading}:\n")
            print("\n".join(f"    {line}" for line in text.split("\n")))


def _print_done(done: Sequence[Done], *, running: bool) -> None:
    for each in done:
        print_wrapped(f"{each.seq}: {_SAID[each.result]}{f': {each.why}' if each.why else ''}")
    if len(done) > 1:
        counts = Counter(each.result for each in done)
        print(", ".join(f"{count:,} {name}" for name, count in counts.items()))
    if any(each.result == "waiting" for each in done):
        print(
            "what waits is processed as soon as its service comes to it"
            if running
            else "Postroad is not running: it is processed at the next `postroad up`"
        )


_SAID = {
    "handled": "processed",
    "waiting": "requeued, and waits",
    "parked": "requeued, and parked again",
    "dropped": "dropped",
    "resolved": "left alone",
    "refused": "cannot be requeued",
    "would": "can be",
}
