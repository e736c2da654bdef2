"""Bounces of members: which copies came back, and why."""

from __future__ import annotations

from collections.abc import Sequence

from projections.instants import us
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
    View,
)
from schemas.membership import MemberBounced

BOUNCES = Table(
    name="bounces",
    about="What came back, or a server refused, and was noted for a member: of each member, list "
    "and day at most one that counts against them. It is no count of copies: all that were refused "
    "are in `deliveries`. What servers said has no address in it.",
    columns={
        "seq": SEQ,
        "ts": TS,
        "list": Column("varchar", "slug of the list"),
        "person": Column("varchar", "random id of the person whose copy it was"),
        "kind": Column(
            "varchar",
            "hard (no such mailbox), full (mailbox full), policy (refused for what it is), soft "
            "(another passing trouble), autoreply, challenge, complaint (said to be spam)",
        ),
        "bounced_at": Column("timestamp", "when it came back, or was refused"),
        "points": Column("double", "what it counts against the member; 0 where it does not"),
        "score": Column("double", "what the member has with it; the list stops at its threshold"),
        "mail": Column("varchar", "the post that did not arrive; null where nobody can tell"),
        "report": Column("varchar", "the mail that says so; null: the server refused it itself"),
        "status": Column("varchar", "enhanced status code (RFC 3463), such as 5.1.1; or null"),
        "said": Column("varchar", "what the server said; or null"),
        "server": Column("varchar", "the host that reports it; or null"),
        "incident": Column(
            "boolean", "many at the same provider failed at once, which counts once"
        ),
        "proved": Column("boolean", "a token of ours proves which copy it is about"),
        "delayed": Column("boolean", "the copy is only late, and may still arrive"),
        "nth": Column("usmallint", "place among the events of the same message, from 0"),
    },
)


def fold(_: Carry, messages: Sequence[Message]) -> Folded:
    """A row for each bounce."""
    rows: list[Row] = []
    for message in messages:
        for nth, event in enumerate(message.body.events):
            if type(event) is MemberBounced:
                list_, person = message.subject.split(".")[1:]
                rows.append(
                    (
                        message.seq,
                        message.us,
                        list_,
                        person,
                        "hard" if event.kind == "unknown" else event.kind,  # of an older release
                        us(event.at),
                        event.points,
                        event.score,
                        event.post or None,
                        event.report or None,
                        event.status or None,
                        event.said or None,
                        event.server or None,
                        event.incident,
                        event.proved,
                        event.delayed,
                        nth,
                    )
                )
    return Folded(rows={BOUNCES.name: rows})


CLASSES = View(
    name="bounce_classes",
    about="Bounces per list, day and kind.",
    columns={
        "list": "slug of the list",
        "day": "day (UTC) on which they came back",
        "kind": "kind of bounce, as in `bounces`",
        "bounces": "how many",
        "people": "of how many people",
        "counted": "how many counted against their member",
        "refused": "of the bounces: how many the server refused at once; the others were reported "
        "later. All refused copies are `failed` in `deliveries`",
    },
    sql="""
        select list, bounced_at::date as day, kind, count(*) as bounces,
            count(distinct person) as people, count(*) filter (points > 0) as counted,
            count(*) filter (report is null) as refused
        from bounces group by list, day, kind
    """,
)

INCIDENTS = View(
    name="incidents",
    about="Times at which many failed at the same server at once: trouble of a provider, and not "
    "of members. One row per list, server and day.",
    columns={
        "list": "slug of the list",
        "server": "the host that reported it; null where the copies were refused at once",
        "day": "day (UTC)",
        "bounces": "how many copies",
        "people": "of how many people",
        "first_at": "the first that came back",
        "last_at": "the last",
        "said": "what the server said of one of them",
    },
    sql="""
        select list, server, bounced_at::date as day, count(*) as bounces,
            count(distinct person) as people, min(bounced_at) as first_at,
            max(bounced_at) as last_at, any_value(said) as said
        from bounces where incident group by list, server, day
    """,
)

OF_PERSON = Query(
    name="bounces_of_person",
    about="Bounces of a person, in order: of one list, of one post, or (null) of all.",
    parameters={"person": "varchar", "list": "varchar", "mail": "varchar"},
    sql="""
        select * from bounces
        where person = $person and ($list::varchar is null or list = $list)
        and ($mail::varchar is null or mail = $mail)
        order by seq, nth
    """,
)

PROJECTION = Projection(
    name="bounces",
    about="copies that came back, and why",
    stream="MEMBERSHIP",
    subjects="membership.>",
    tables=(BOUNCES,),
    views=(CLASSES, INCIDENTS),
    queries=(OF_PERSON,),
    fold=fold,
)
