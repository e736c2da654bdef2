"""What is queued to be sent: SEND as tables, and the age of what waits. Pure.

Addresses stay in the stream. Chunks that are scheduled for later appear when they fall due, so
that a rebuild, which finds no schedule that has fired, gives the same rows; who is owed another
try meanwhile stands in the ledger.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from projections.instants import maybe_us
from projections.projection import (
    Carry,
    Column,
    Folded,
    Message,
    Projection,
    Query,
    Row,
    Table,
    View,
    of_mail,
)
from schemas.road import ChunkQueued

_AGAIN = re.compile(r"f(\d+)-\d+")  # somebody had failed copies sent once more: that round
_WHOLE = re.compile(r"\d+|x|m\d+")
MAIL = of_mail("id of the post, or of the letter that Postroad wrote")

CHUNKS = Table(
    name="chunks",
    about="every time that a chunk of copies was queued; one that waited is queued again",
    columns={
        **MAIL,
        "chunk": Column(
            "varchar", "its name: a number, `x` for `also_to`, m<n> for a replay; r<n> tries again"
        ),
        "lane": Column("varchar", "now or bulk"),
        "copies": Column("integer", "recipients in it"),
        "attempt": Column("integer", "which try it is, from 0"),
        "since": Column("timestamp", "when the first try was queued; null for the first itself"),
        "notice": Column("boolean", "whether Postroad wrote it"),
        "personal": Column("boolean", "whether each recipient gets a copy of their own"),
        "membership_seq": Column("ubigint", "sequence of MEMBERSHIP that fixed its audience, or 0"),
        "post_seq": Column("ubigint", "sequence of ROUTED of the post; of a letter, of its cause"),
        "person": Column("varchar", "of a letter: whom it is to, where that is told; else empty"),
        "cause": Column("varchar", "of a letter: id of the mail or command that led to it"),
        "whole": Column("boolean", "whether it stands for itself, not for some of another chunk"),
    },
)
REQUEUED = Table(
    name="requeued",
    about="who had finally failed, and was queued once more by `postroad retry`",
    columns={
        **MAIL,
        "chunk": Column("varchar", "the chunk they were queued in"),
        "round": Column("integer", "how often that was done for this post, from 1"),
        "person": Column("varchar", "id of the person"),
    },
)


def fold(_: Carry, messages: Sequence[Message]) -> Folded:
    """Messages of SEND as rows."""
    chunks: list[Row] = []
    requeued: list[Row] = []
    for message in messages:
        lane = message.subject.split(".")[2]
        for event in message.body.events:
            if not isinstance(event, ChunkQueued):
                continue
            where = message.seq, message.us, event.list, event.mail_id, event.chunk
            copy = event.copy
            chunks.append(
                (
                    *where,
                    lane,
                    len(event.people),
                    event.attempt,
                    maybe_us(event.since),
                    copy.notice,
                    copy.personal,
                    event.as_of,
                    copy.post,
                    event.people[0] if copy.notice and event.people else "",
                    message.body.correlation if copy.notice else "",
                    _WHOLE.fullmatch(event.chunk) is not None,
                )
            )
            if (again := _AGAIN.fullmatch(event.chunk)) is not None:
                round_ = int(again[1])
                requeued += [(*where, round_, person) for person in event.people]
    return Folded(rows={"chunks": chunks, "requeued": requeued})


PROJECTION = Projection(
    name="sending",
    about="what was queued to be sent",
    version=2,
    stream="SEND",
    subjects="mail.send.>",
    tables=(CHUNKS, REQUEUED),
    views=(
        View(
            name="notices",
            about="letters that Postroad wrote itself",
            columns={
                "seq": "sequence of its chunk in SEND",
                "ts": "when it was queued",
                "list": "slug of the list",
                "mail": "id of the letter",
                "person": "whom it is to, where that is told; else empty",
                "copies": "recipients",
                "cause": "id of the mail or command that led to it",
            },
            sql="""
                select min(seq) as seq, min(ts) as ts, list, mail,
                    any_value(person) as person, max(copies) as copies, any_value(cause) as cause
                from chunks where notice and whole group by list, mail
            """,
        ),
    ),
    queries=(
        Query(
            name="post_chunks",
            about="the chunks of one post or letter, in order",
            parameters={"mail": "varchar"},
            sql="select * from chunks where mail = $mail order by seq",
        ),
    ),
    fold=fold,
)
