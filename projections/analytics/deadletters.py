"""DEADLETTER as rows: what nobody could process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from projections.masking import masked
from projections.projection import (
    SEQ,
    TS,
    Carry,
    Column,
    Folded,
    Message,
    Projection,
    Row,
    Table,
)
from schemas import codec
from schemas.codec import UnknownEvent
from schemas.envelope import Envelope
from schemas.road import Parked

DEADLETTERS = Table(
    name="deadletters",
    about="Messages that nobody could process: one row each time one was parked, or given up by "
    "the broker. Their bytes stay in DEADLETTER alone.",
    columns={
        "seq": SEQ,
        "ts": TS,
        "durable": Column("varchar", "consumer that could not process it"),
        "stream": Column("varchar", "stream that the message is in"),
        "stream_seq": Column("ubigint", "its sequence there"),
        "reason": Column("varchar", "why, with addresses masked"),
        "family": Column(
            "varchar",
            "reject (ended for a reason), bug (failed again and again), broker (the broker gave it "
            "up, or was told to end it)",
        ),
        "attempts": Column("uinteger", "how often it was tried"),
        "subject": Column("varchar", "its subject; null where the broker gave it up"),
        "trace": Column("varchar", "trace in which it failed; null: not known"),
    },
)


class Advisory(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the broker says of a message that it delivers no more."""

    type: str
    stream: str
    consumer: str
    stream_seq: int
    deliveries: int = 0
    reason: str = ""


_ADVISORY = "io.nats.jetstream.advisory."
_advisory = msgspec.json.Decoder(Advisory)


def decode(data: bytes) -> Envelope | Advisory:
    """A parked message, or the broker's own words. Raises UnknownEvent."""
    try:
        return codec.decode(data)
    except UnknownEvent:
        try:
            said = _advisory.decode(data)
        except (msgspec.MsgspecError, RecursionError):
            said = None
        if said is None or not said.type.startswith(_ADVISORY):
            raise
        return said


def fold(_: Carry, messages: Sequence[Message]) -> Folded:
    """A row for each message that was parked or given up."""
    return Folded(rows={DEADLETTERS.name: [row for one in messages for row in _rows(one)]})


def _rows(message: Message) -> Iterator[Row]:
    where, said = (message.seq, message.us), message.body
    if isinstance(said, Advisory):
        reason = masked(said.reason) or said.type.removeprefix(_ADVISORY)
        place = (said.consumer, said.stream, said.stream_seq)
        yield (*where, *place, reason, "broker", said.deliveries, None, None)
        return
    for event in said.events:
        if isinstance(event, Parked):
            place = (event.durable, event.stream, event.seq)
            about = (event.attempts, event.subject, event.trace or None)
            yield (*where, *place, masked(event.reason), event.family, *about)


PROJECTION = Projection(
    name="deadletters",
    about="what nobody could process",
    stream="DEADLETTER",
    subjects=">",
    tables=(DEADLETTERS,),
    fold=fold,
    decode=decode,
)
