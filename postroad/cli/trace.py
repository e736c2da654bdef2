"""`postroad trace`: the way of one mail, or of one copy, in time; the traces of some time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.frame import Call, command, group
from postroad.cli.helppage import NamePage
from postroad.cli.output import counted, print_table, print_wrapped, short, shortened, widest
from postroad.runtime.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from postroad.cli.copytrace import Way
    from postroad.cli.spanreader import Trace
    from postroad.cli.tracelist import Line
    from postroad.cli.waterfall import Row
    from schemas.spans import Span

REST = 10 + 8 + 6  # characters of a line for service, time and what is between them
SHOWN = 20  # traces that `ls` shows
SLUG = 20  # characters of a list that it shows

trace = group(
    "trace",
    "Where the time of a mail went, step by step: spans, kept for seven days.",
    example="postroad trace 0199d2c64d30",
    page=NamePage,
)
HERE = "◀"  # marks the span that another trace is linked with


@command(trace, "show", example="postroad trace ann@example.net 0199d2c64d30")
async def show(
    call: Call,
    what: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="An id (X-Postroad-Trace), its first digits, a Message-ID; or ADDRESS+POST.",
        ),
    ],
    post: Annotated[
        str, typer.Argument(metavar="[POST]", help="With an ADDRESS before it: its copy of this.")
    ] = "",
) -> None:
    """The waterfall of a mail's trace: every step, how long it took, what failed; and of the
    traces that are linked with it: mail that came back, a moderator's verdict, the analytics.

    `postroad trace ID` is the same. With an ADDRESS it is the road of that person's copy: the
    windows in which it went, and what the relay answered. Spans are kept for seven days.
    """
    from postroad.cli.copytrace import answer, apart, road_of, way
    from postroad.cli.road import road, streams
    from postroad.cli.spanreader import beside, find, read

    settings = call.config.telemetry
    address, mail = apart(what, post)
    if address:
        async with road(call.config) as broker:
            copy = await way(broker, address, mail)
            found = await read(broker, copy.mail)
            others = await beside(broker, found)
        kept = road_of(found, copy.windows)
        answers = [answer(window) for window in copy.windows]
        told = {"address": address, "post": copy.mail, "windows": copy.windows, "answers": answers}
        call.show(
            told | _told(found, kept, others), lambda: _print_copy(copy, answers, kept, others)
        )
        return
    async with streams(call.config) as broker:
        found = await find(broker, mail, settings)
        others = await beside(broker, found)
    call.show(_told(found, found.spans, others), lambda: _print(found.spans, others))


@command(trace, "ls", example="postroad trace ls --errors --since 2h")
async def ls(
    call: Call,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="From when on: 1h, 2d, a time.")
    ] = "1h",
    slow: Annotated[
        str, typer.Option("--slow", metavar="DURATION", help="Only with a step that took so long.")
    ] = "",
    errors: Annotated[
        bool, typer.Option("--errors", metavar="", help="Only with a step that failed.")
    ] = False,
    service: Annotated[
        str, typer.Option("--service", metavar="SERVICE", help="Only with a step of this service.")
    ] = "",
    every: Annotated[
        bool, typer.Option("--all", metavar="", help="Also commands, and what is beside the mail.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", min=1, metavar="N", help="The latest so many; --json: all.")
    ] = SHOWN,
) -> None:
    """The latest traces of mails; with `--all` also of commands and what services did of their own.

    `--slow`, `--errors` and `--service` choose among all. The projector's own are shown with
    `--service projector`.
    """
    from postroad.cli.progress import progress
    from postroad.cli.road import streams
    from postroad.cli.spanreader import recent
    from postroad.cli.times import since as since_time
    from postroad.cli.tracelist import Lines, chosen
    from postroad.runtime.clock import now
    from postroad.runtime.service import BESIDE, ROAD

    if service and service not in (*ROAD, *BESIDE):
        raise UsageError(
            f"there is no service {service!r}; there are: {', '.join((*ROAD, *BESIDE))}"
        )
    seconds, begin, lines = _seconds(slow), since_time(since, now()), Lines()
    async with streams(call.config) as broker:
        with progress("reading spans") as tell:
            number = 0
            async for span in recent(broker, begin):
                lines.take(span)
                number += 1
                if not number % 1_000:
                    tell(number)
    mails = not (every or slow or errors or service)
    found = list(chosen(lines.latest(), slow=seconds, errors=errors, service=service, mails=mails))
    call.show([_row(line) for line in found], lambda: _print_list(found, limit, since))


def _seconds(slow: str) -> float:
    """How long is slow. Raises UsageError."""
    from postroad.runtime.quantities import duration as seconds

    try:
        return seconds(slow) if slow else 0.0
    except SettingsError as error:
        raise UsageError(f"--slow: {error}") from None


def _row(line: Line) -> dict[str, object]:
    return {
        "trace": line.trace,
        "began": datetime.fromtimestamp(line.start / 1e9, UTC),
        "what": line.what,
        "list": line.list,
        "services": sorted(line.services),
        "spans": line.spans,
        "seconds": line.seconds,
        "slowest": line.slowest,
        "errors": dict(line.errors),
    }


def _print_list(found: Sequence[Line], limit: int, since: str) -> None:
    from postroad.cli.tracelist import FAILED, RECEIVED, WHAT, fitting
    from postroad.cli.waterfall import duration

    if not found:
        print(f"no such trace since {since}")
        return
    shown = found[:limit]
    begun = [datetime.fromtimestamp(line.start / 1e9, UTC) for line in shown]
    day = "" if len({at.date() for at in begun}) == 1 else "%m-%d "
    traces = [line.trace for line in shown]
    table = {
        "UTC": [f"{at:{day}%H:%M:%S}" for at in begun],
        "trace": [short(trace, traces) for trace in traces],
        WHAT: [line.what for line in shown],
        "list": [shortened(line.list, SLUG) for line in shown],
        "spans": [str(line.spans) for line in shown],
        "took": [duration(line.seconds) for line in shown],
        "slowest": [duration(line.slowest) for line in shown],
        FAILED: [
            ", ".join(f"{name} ×{n}" if n > 1 else name for name, n in line.errors.items())
            for line in shown
        ],
    }
    if {line.what for line in shown} == {RECEIVED}:  # says nothing, and a terminal is narrow
        del table[WHAT]
    if not any(table[FAILED]):
        del table[FAILED]
    fitted, whole = fitting(table, widest())
    print_table(list(fitted), zip(*fitted.values(), strict=True), whole=whole)
    if len(found) > limit:
        print(f"and {len(found) - limit:,} more; --limit {len(found)} shows all")


def _told(
    found: Trace, kept: Sequence[Span], others: Sequence[tuple[str, Trace]]
) -> dict[str, object]:
    """The answer as data."""
    linked = [{"how": how, "trace": each.trace, "spans": each.spans} for how, each in others]
    seconds = found.seconds if found.spans else 0.0
    return {"trace": found.trace, "seconds": seconds, "spans": kept, "linked": linked}


def _print(found: Sequence[Span], others: Sequence[tuple[str, Trace]]) -> None:
    from postroad.cli.spanreader import FOLDED
    from postroad.cli.waterfall import duration

    print_waterfall(found, _named(found, (span for _, each in others for span in each.spans)))
    folds = [span for how, each in others if how == FOLDED for span in each.spans]
    if folds and found:
        first = min(folds, key=lambda span: span.end)
        behind = duration((first.end - found[0].start) / 1e9)
        print_wrapped(f"the analytics had the first of it {behind} after it began")
    for how, each in others:
        if how != FOLDED:
            print()
            named = _named(each.spans, found)
            at = f", at {HERE}" if named or _named(found, each.spans) else ""
            print(f"linked ({how}){at}:")
            print_waterfall(_wanted(each, named) if how == "bounce" else each.spans, named)


def _named(spans: Sequence[Span], by: Iterable[Span]) -> dict[str, str]:
    """What to say of those spans that others have a link to, by id; a link to the beginning is one
    to the whole trace."""
    from schemas.spans import first_span

    ids = {span.span for span in spans if span.span != first_span(span.trace)}
    return {link.span: HERE for span in by for link in span.links if link.span in ids}


def _wanted(trace: Trace, named: Mapping[str, str]) -> Sequence[Span]:
    """Of the post that a bounce is about what led to the window that sent the copy; of a bounce
    itself, and where the window is not known, all."""
    from postroad.cli.copytrace import road_to

    windows = [span for span in trace.spans if span.span in named]
    return road_to(trace, windows) if windows else trace.spans


def _print_copy(
    copy: Way, answers: Sequence[str], kept: Sequence[Span], others: Sequence[tuple[str, Trace]]
) -> None:
    if kept:
        mine = {window.span.split("-")[2] for window in copy.windows if window.span}
        theirs = [
            (how, each)
            for how, each in others
            if how != "bounce" or any(link.span in mine for s in each.spans for link in s.links)
        ]
        _print(kept, theirs)
    else:
        print_wrapped(f"there are no spans of {copy.mail} any more; the ledger has")
    print()
    for line in answers:
        print_wrapped(line)
    if not answers:
        print_wrapped(
            f"no window had a copy for {copy.address}; `postroad explain {copy.mail} "
            f"{copy.address}` says why"
        )


def print_waterfall(found: Sequence[Span], named: Mapping[str, str] | None = None) -> None:
    """Print the spans of one trace, each with its place in time; what was much later, as what was
    given out again, has a scale of its own below. `named` is what to say of some, by id."""
    from postroad.cli.waterfall import duration, parts

    first, *later = parts(found)
    length = duration(_seconds_of(first))
    print(f"trace {first[0].trace}: {counted(len(first), 'span')} in {length}")
    _print_part(first, named or {})
    for part in later:
        after = duration((part[0].start - first[0].start) / 1e9)
        print()
        print(f"{after} later: {counted(len(part), 'span')} in {duration(_seconds_of(part))}")
        _print_part(part, named or {})


def _seconds_of(spans: Sequence[Span]) -> float:
    return (max(span.end for span in spans) - spans[0].start) / 1e9


def _print_part(spans: Sequence[Span], named: Mapping[str, str]) -> None:
    from postroad.cli.waterfall import bar, duration, rows

    seconds = _seconds_of(spans)
    width = widest() - REST
    for_bar = width // 4
    print()
    print_table(
        ("step", "service", "took", ""),
        (
            (
                shortened(_step(row), width - for_bar),
                "" if row.mark else row.service,
                "" if row.mark else duration(row.seconds),
                bar(row, seconds, for_bar),
            )
            for row in rows(spans, named)
        ),
        whole=4,
    )


def _step(row: Row) -> str:
    many = f" ×{row.count}" if row.count > 1 else ""
    note = f" ({row.note})" if row.note else ""
    failed = f" ! {row.error}" if row.error else ""
    return f"{'  ' * row.depth}{'· ' if row.mark else ''}{row.name}{many}{note}{failed}"
