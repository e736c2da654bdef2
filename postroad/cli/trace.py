"""`postroad trace`: the way of one mail in time, from the mailbox to each SMTP window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.frame import Call, command
from postroad.cli.output import print_table
from postroad.runtime.errors import PostroadError

if TYPE_CHECKING:
    from postroad.cli.waterfall import Row
    from postroad.runtime.broker import Broker
    from schemas.spans import Span

STEP, BAR = 42, 36  # characters; with service and time a line stays below 100
SKEW = timedelta(hours=1)  # how far the clock of a mail server may be ahead of ours

trace = typer.Typer()


@command(trace, "trace", example="postroad trace 0199d2c64d30")
async def show(
    call: Call,
    mail: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A mail id (X-Postroad-Trace), its first digits, or a Message-ID."
        ),
    ],
) -> None:
    """The waterfall of one mail's trace: every step, how long it took, what failed.

    Spans are kept for seven days.
    """
    from postroad.cli.mails import mail_id
    from postroad.cli.road import streams

    async with streams(call.config) as broker:
        found = await spans(broker, await mail_id(broker, mail))
    answer = {"trace": found[0].trace, "seconds": _seconds(found), "spans": found}
    call.show(answer, lambda: print_waterfall(found))


async def spans(broker: Broker, trace_id: str) -> list[Span]:
    """The spans of a trace in order of time. Raises PostroadError where there are none."""
    import msgspec

    from schemas import subjects
    from schemas.spans import SpanBatch

    batch = msgspec.json.Decoder(SpanBatch)
    since = datetime.fromtimestamp(int(trace_id[:12], 16) / 1000, UTC) - SKEW
    found: dict[str, Span] = {}
    async for stored in broker.scan(
        "SPANS", subjects.spans(trace_id), start_time=f"{since:%Y-%m-%dT%H:%M:%SZ}"
    ):
        if trace_id.encode() in stored.data:  # a batch holds spans of many traces
            for span in batch.decode(stored.data).spans:
                if span.trace == trace_id:
                    found[span.span] = span
    if not found:
        raise PostroadError(
            f"there are no spans of {trace_id}; they appear half a second after each step "
            "and are kept for seven days"
        )
    return sorted(found.values(), key=lambda span: (span.start, span.end))


def print_waterfall(found: list[Span]) -> None:
    """Print the spans of one trace, each with its place in time."""
    from postroad.cli.waterfall import bar, duration, rows

    seconds = _seconds(found)
    print(f"trace {found[0].trace}: {len(found)} spans in {duration(seconds)}")
    print()
    print_table(
        ("step", "service", "took", ""),
        (
            (_step(row), row.service, duration(row.seconds), bar(row, seconds, BAR))
            for row in rows(found)
        ),
        whole=4,
    )


def _seconds(found: list[Span]) -> float:
    """How long a trace took, from its first start to its last end."""
    return (max(span.end for span in found) - found[0].start) / 1e9


def _step(row: Row) -> str:
    many = f" ×{row.count}" if row.count > 1 else ""
    step = f"{'  ' * row.depth}{row.name}{many}{f' ! {row.error}' if row.error else ''}"
    return step if len(step) <= STEP else f"{step[: STEP - 1]}…"
