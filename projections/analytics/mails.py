"""Mails as they came in: RECEIVED as a table. Pure.

Of who wrote only the domain is kept: addresses stand in PEOPLE, and nowhere else for long.
"""

from __future__ import annotations

from collections.abc import Sequence

from projections.instants import maybe_us
from projections.projection import (
    SEQ,
    TS,
    Carry,
    Column,
    Folded,
    Message,
    Projection,
    Query,
    Row,
    Table,
)
from schemas.road import MailReceived, MailRefused

MAILS = Table(
    name="mails",
    about="every mail that a source brought, and those left where they were",
    columns={
        "seq": SEQ,
        "ts": TS,
        "mail": Column("varchar", "id of the mail, which is also that of its trace"),
        "source": Column("varchar", "name of the `[[source]]`"),
        "folder": Column("varchar", "folder it was found in; empty where there are none"),
        "uid": Column("ubigint", "its UID there (IMAP); 0 where there is none"),
        "arrived_at": Column("timestamp", "when its server says that it came; null: it does not"),
        "size": Column("ubigint", "octets"),
        "message_id": Column("varchar", "its Message-ID; empty where it has none"),
        "subject": Column("varchar", "its Subject"),
        "from_domain": Column("varchar", "domain of the author's address; empty where none reads"),
        "refused": Column(
            "varchar", "why it was left where it was (too_large, stale, unreadable); else empty"
        ),
    },
)


def fold(_: Carry, messages: Sequence[Message]) -> Folded:
    """Messages of RECEIVED as rows."""
    rows: list[Row] = []
    for message in messages:
        for event in message.body.events:
            if isinstance(event, MailReceived):
                facts, origin = event.facts, event.origin
                author = facts.from_[0].address if facts.from_ else ""
                about = (
                    maybe_us(origin.arrived),
                    event.raw.size,
                    facts.message_id,
                    facts.subject,
                    author.rpartition("@")[2],
                    "",
                )
            elif isinstance(event, MailRefused):
                origin = event.origin
                about = (maybe_us(origin.arrived), event.size, "", "", "", event.reason)
            else:
                continue
            place = event.mail_id, origin.source, origin.folder, origin.uid
            rows.append((message.seq, message.us, *place, *about))
    return Folded(rows={"mails": rows})


PROJECTION = Projection(
    name="mails",
    about="mail taken from the sources",
    stream="RECEIVED",
    subjects="mail.received.>",
    tables=(MAILS,),
    queries=(
        Query(
            name="mail",
            about="one mail as it came in",
            parameters={"mail": "varchar"},
            sql="select * from mails where mail = $mail order by seq",
        ),
    ),
    fold=fold,
)
