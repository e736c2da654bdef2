"""SPANS as rows: what each service did for a mail, and how long it took."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from projections.projection import (
    SEQ,
    TS,
    Carry,
    Column,
    Folded,
    Message,
    Projection,
    Query,
    Table,
)
from schemas.codec import UnknownEvent
from schemas.spans import SpanBatch

SPANS = Table(
    name="spans",
    about="Steps of the road: one row for each finished span. It holds no address.",
    columns={
        "seq": SEQ,
        "ts": TS,
        "trace": Column(
            "varchar", "the mail id, or that of a command: all its spans have the same"
        ),
        "span": Column("varchar", "id of the span"),
        "parent": Column("varchar", "id of the span that it is part of; null: none"),
        "name": Column("varchar", "what was done, such as sender.chunk"),
        "service": Column("varchar", "who did it"),
        "kind": Column("varchar", "internal, client, consumer or server"),
        "started_at": Column("timestamp", "when it began, by the clock of its host"),
        "ended_at": Column("timestamp", "when it was done"),
        "ms": Column("double", "how long it took, in milliseconds"),
        "error": Column("varchar", "the type of what went wrong; null: nothing did"),
        "attributes": Column("json", "what else is known of it, as a JSON object"),
        "instance": Column("varchar", "process number of the service; null: not said"),
    },
)

_batch = msgspec.json.Decoder(SpanBatch)
_encode = msgspec.json.Encoder().encode


def decode(data: bytes) -> SpanBatch:
    """The spans of a message. Raises UnknownEvent."""
    try:
        return _batch.decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UnknownEvent(f"not spans: {error}") from error


def fold(_: Carry, messages: Sequence[Message]) -> Folded:
    """A row for each span."""
    return Folded(
        rows={
            SPANS.name: [
                (
                    message.seq,
                    message.us,
                    span.trace,
                    span.span,
                    span.parent or None,
                    span.name,
                    span.service,
                    span.kind,
                    span.start // 1000,
                    span.end // 1000,
                    (span.end - span.start) / 1e6,
                    span.error or None,
                    _encode(span.attributes).decode() if span.attributes else "{}",
                    span.instance or None,
                )
                for message in messages
                for span in message.body.spans
            ]
        }
    )


OF_TRACE = Query(
    name="spans_of_trace",
    about="The spans of a mail or command, in order of their beginning.",
    parameters={"trace": "varchar"},
    sql="select * from spans where trace = $trace order by started_at, ended_at desc, span",
)

PROJECTION = Projection(
    name="spans",
    about="what was done for each mail, and how long it took",
    stream="SPANS",
    subjects="spans.>",
    tables=(SPANS,),
    queries=(OF_TRACE,),
    fold=fold,
    decode=decode,
)
