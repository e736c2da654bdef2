"""`postroad stream`: what lies in the streams, decoded."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.frame import Call, command, group
from postroad.cli.output import counted, print_json, print_table, whole
from postroad.runtime.errors import PostroadError, UsageError

if TYPE_CHECKING:
    from postroad.cli.streams.looking import Consumed, Look
    from postroad.cli.streams.plain import Message
    from postroad.cli.streams.tailing import Found

stream = group(
    "stream", "What lies in the streams, decoded.", example="postroad stream tail --follow"
)

LATEST = 20  # messages, where nothing says how many
Addresses = Annotated[
    bool, typer.Option("--addresses", metavar="", help="Show addresses and names, too.")
]


@command(stream, "ls", example="postroad stream ls --json")
async def ls(call: Call) -> None:
    """Every stream: how much it holds, from when to when, how long it keeps it, who reads it."""
    from postroad.cli.road import streams
    from postroad.cli.streams.looking import look_all

    async with streams(call.config) as broker:
        found = await look_all(broker)
    call.show(whole(found), lambda: _print_streams(found))


@command(stream, "show", example="postroad stream show DELIVERY")
async def show(
    call: Call, name: Annotated[str, typer.Argument(metavar="NAME", help="Such as ROUTED.")]
) -> None:
    """One stream: its subjects, limits and consumers, and how many messages of each kind."""
    from postroad.cli.road import streams
    from postroad.cli.streams.looking import kinds, look
    from postroad.cli.streams.naming import one_stream

    wanted = one_stream(name)
    async with streams(call.config) as broker:
        found = await look(broker, wanted)
        if found is None:
            raise PostroadError(
                f"the broker has no stream {wanted.name} yet; `postroad up` makes it"
            )
        counts = await kinds(broker, wanted)
    data = {**whole([found])[0], "consumers": whole(found.consumers), "kinds": counts}
    call.show(data, lambda: _print_stream(found, counts))


@command(stream, "tail", example="postroad stream tail --list team@lists.example.org --follow")
async def tail(
    call: Call,
    where: Annotated[
        str,
        typer.Argument(
            metavar="SUBJECT|STREAM",
            help="Such as ROUTED or mail.routed.held.>; all events, where none is given.",
            show_default=False,
        ),
    ] = "",
    *,
    list_: Annotated[str, typer.Option("--list", metavar="LIST", help="About this list.")] = "",
    mail: Annotated[
        str, typer.Option(metavar="ID", help="About this mail: its id, or a Message-ID.")
    ] = "",
    person: Annotated[
        str, typer.Option(metavar="ADDRESS", help="About whoever has this address.")
    ] = "",
    since: Annotated[
        str, typer.Option(metavar="TIME", help="From then on: 2h, 2026-10-01, 2026-10-01T12:00Z.")
    ] = "",
    from_seq: Annotated[
        int, typer.Option("--from-seq", metavar="SEQ", min=0, help="From there on, of one stream.")
    ] = 0,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most this many; 20, where nothing says from when.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", metavar="", help="Go on with what comes.")
    ] = False,
    addresses: Addresses = False,
) -> None:
    """The latest events, one a line, in order of time; with --follow also those that come.

    People are shown by id, and no addresses are, unless --addresses asks for them. With --json each
    line is a JSON document. Filters look 200,000 messages of a stream back, unless --since or
    --from-seq says from where. Ctrl-C ends it.
    """
    from postroad.cli.road import streams
    from postroad.cli.streams import tailing
    from postroad.cli.streams.choosing import choice
    from postroad.cli.times import since as since_when
    from postroad.runtime.clock import now

    if since and from_seq:
        raise UsageError("give --since or --from-seq, not both")
    start = since_when(since, now()) if since else None
    told = 0
    async with streams(call.config) as broker:
        wanted = await choice(broker, call.config, where, list_=list_, mail=mail, person=person)
        if from_seq and len(wanted.places) > 1:
            raise UsageError("--from-seq counts in one stream: name it, as in stream tail ROUTED")
        if follow and broker.alone:
            raise PostroadError("Postroad is not running, so nothing comes; leave --follow out")
        upto = await tailing.ends(broker, wanted)
        if start is None and not from_seq:
            for found in await tailing.latest(broker, wanted, limit or LATEST):
                _say(call, found, wanted.person, addresses=addresses)
        else:
            async for found in tailing.since(broker, wanted, upto, start=start, seq=from_seq):
                _say(call, found, wanted.person, addresses=addresses)
                told += 1
                if told == limit:
                    return
        sys.stdout.flush()
        if follow:
            async for found in tailing.coming(broker, wanted, upto):
                _say(call, found, wanted.person, addresses=addresses)
                sys.stdout.flush()


@command(stream, "accept", example="postroad stream accept MEMBERSHIP")
async def accept(
    call: Call, name: Annotated[str, typer.Argument(metavar="NAME", help="Such as MEMBERSHIP.")]
) -> None:
    """Go on with a stream that has gone back, as it is now: what it has lost stays lost.

    A stream goes back where the broker's store was damaged, or somebody put older files there; all
    stands still then. Restore a backup instead, where there is one. Services that wait go on by
    themselves within seconds.
    """
    from postroad.cli.road import streams
    from postroad.cli.streams.naming import one_stream
    from postroad.runtime import streamends

    wanted = one_stream(name).name
    async with streams(call.config) as broker:
        try:
            how = await streamends.accept(broker, call.config.site.state_dir, wanted)
        except OSError as error:
            raise PostroadError(
                f"{call.config.site.state_dir}: {(error.strerror or 'cannot be written').lower()}"
            ) from error
    if how is None:
        raise PostroadError(f"stream {wanted} has not gone back: there is nothing to accept")
    call.show(
        {"stream": wanted, "accepted": how},
        lambda: print(f"stream {wanted} {how}; it is gone on with as it is"),
    )


@command(stream, "get", example="postroad stream get ROUTED 1042")
async def get(
    call: Call,
    where: Annotated[
        str, typer.Argument(metavar="SUBJECT|STREAM", help="A subject: its last message.")
    ],
    seq: Annotated[
        int | None, typer.Argument(metavar="SEQ", min=1, help="Its sequence in that stream.")
    ] = None,
    raw: Annotated[
        str, typer.Option(metavar="FILE", help="Save its octets as they are, or - to print them.")
    ] = "",
    addresses: Addresses = False,
) -> None:
    """One message, decoded, with its headers."""
    from postroad.cli.road import streams
    from postroad.cli.streams.naming import NAMES, places
    from postroad.cli.streams.plain import message

    (place, *others) = places(where)
    if others or (seq is None and where.upper() in NAMES):
        raise UsageError(f"{where} is not one message; give a stream and a sequence, or a subject")
    async with streams(call.config) as broker:
        if seq is None:
            found = await broker.last(place.stream, place.filter)
        else:
            found = await broker.get(place.stream, seq)
    if found is None:
        what = f"message {seq} in {place.stream}" if seq else f"message on {where}"
        raise PostroadError(f"there is no {what}: it never was, or it is deleted")
    if raw:
        from postroad.cli.parking.saving import save

        save(found.data, raw)
        return
    told = message(place.stream, found, addresses=addresses)
    headers = {name: value for name, value in found.headers.items() if name not in _PLACE}
    call.show({**whole([told])[0], "headers": headers}, lambda: _print_message(told, headers))


_FINISHED = {"RAW", "RECEIVED", "SEND", "DEADLETTER"}  # the janitor deletes what is
_PLACE = {"Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp", "Nats-Stream"}


def _say(call: Call, found: Found, person: str, *, addresses: bool) -> None:
    import msgspec

    from postroad.cli.streams.plain import message
    from postroad.cli.streams.saying import line

    told = message(*found, addresses=addresses)
    if call.json:
        print(msgspec.json.encode(whole([told])[0], enc_hook=str).decode())
    else:
        print(line(told, person))


def _print_streams(found: list[Look]) -> None:
    rows = (
        (
            each.stream,
            f"{each.messages:,}",
            size(each.bytes),
            each.first_seq,
            each.last_seq,
            f"{_age(each.oldest_seconds)} to {_age(each.newest_seconds)}" if each.messages else "",
            _limits(each),
            len(each.consumers) or "",
        )
        for each in found
    )
    headings = ("stream", "messages", "size", "first", "last", "ages", "kept", "consumers")
    print_table(headings, rows, whole=5)


def _print_stream(found: Look, counts: dict[str, int]) -> None:
    facts = (
        ("stream", found.stream),
        ("holds", found.about),
        ("subjects", ", ".join(found.subjects)),
        ("messages", f"{counted(found.messages, 'message')}, {size(found.bytes)}"),
        ("sequences", f"{found.first_seq} to {found.last_seq}, {found.deleted:,} deleted between"),
        ("from", found.first),
        ("to", found.last),
        ("kept", _limits(found)),
        *((("", f"{name}: {count:,}")) for name, count in counts.items()),
    )
    print_table(("", ""), facts, whole=1)
    if found.consumers:
        print()
        print_consumers(found.consumers)


def print_consumers(rows: Sequence[Consumed]) -> None:
    """Print consumers, one a line."""
    headings = ("consumer", "stream", "delivered", "done", "waiting", "in hand", "again", "who")
    print_table(
        headings,
        (
            (
                each.consumer,
                each.stream,
                each.delivered,
                each.acked,
                each.pending,
                each.in_hand,
                each.redelivered,
                each.who,
            )
            for each in rows
        ),
        whole=7,
    )


def _print_message(told: Message, headers: dict[str, str]) -> None:
    from postroad.cli.streams.saying import event

    facts = [
        ("stream", f"{told.stream} {told.seq}"),
        ("subject", told.subject),
        ("stored", told.time),
        ("octets", f"{told.octets:,}"),
        *((name, value) for name, value in (("id", told.id), ("actor", told.actor)) if value),
        *((("about", told.correlation),) if told.correlation else ()),
        *((("because of", told.causation),) if told.causation else ()),
        *headers.items(),
        *((("unknown", told.unknown),) if told.unknown else ()),
        *(("event", event(each)) for each in told.events),
    ]
    print_table(("", ""), facts, whole=1)
    for each in told.events:
        print()
        print_json(each)
    if told.data:
        print(f"\n{told.data}")


def size(octets: int) -> str:
    """1.5 MB, 12 KB, 3 B."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if octets >= unit:
            return f"{octets / unit:,.1f} {name}"
    return f"{octets} B"


def _age(seconds: float) -> str:
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"


def _limits(found: Look) -> str:
    said = [
        _age(found.max_age) if found.max_age else "",
        f"{found.per_subject} a subject" if found.per_subject > 0 else "",
        f"{found.max_messages:,} messages" if found.max_messages > 0 else "",
        size(found.max_bytes) if found.max_bytes > 0 else "",
    ]
    lasting = "until finished" if found.stream in _FINISHED else "for ever"
    return ", ".join(filter(None, said)) or lasting
