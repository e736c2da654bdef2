"""What was decided on each mail, and by which rule: ROUTED as tables. Pure.

A mail has a row in `routing` for each list that it reached. One that was held has a second when
somebody decides, and a third where that made it a post.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
from schemas.envelope import Event
from schemas.road import (
    BounceRouted,
    CommandDone,
    CommandRouted,
    FanoutDone,
    HeldAccepted,
    MailStopped,
    MailUnrouted,
    OwnerMailRouted,
    PostRouted,
    RuleHit,
)

MAIL = of_mail("id of the mail")
_AS_OF = Column("ubigint", "sequence of MEMBERSHIP by which the audience was fixed")
_SETTINGS = Column("ubigint", "sequence of LISTS of the settings that decided")
_SUBJECT = Column("varchar", "its Subject")
_MESSAGE_ID = Column("varchar", "its Message-ID")
_AUTHOR = Column("varchar", "person who wrote it; empty where that is nobody known")

ROUTING = Table(
    name="routing",
    about="one row for each decision on a mail at a list",
    columns={
        **MAIL,
        "kind": Column(
            "varchar",
            "post, owner, command, bounce, held, accepted, rejected, discarded or unrouted",
        ),
        "rule": Column("varchar", "the rule that decided; empty where none was asked"),
        "reason": Column("varchar", "why, in plain words; of a command its name"),
        "author": _AUTHOR,
        "settings_seq": _SETTINGS,
        "actor": Column("varchar", "who decided: `service:router`, `person:<id>`, `operator`"),
        "subject": _SUBJECT,
        "message_id": _MESSAGE_ID,
        "held_seq": Column(
            "ubigint", "of a verdict on held mail: sequence of the row that held it; else 0"
        ),
        "domain": Column("varchar", "of mail for the owner of a domain: that domain; else empty"),
    },
)
RULE_HITS = Table(
    name="rule_hits",
    about="every rule that hit a mail, those that let it pass as well",
    columns={
        **MAIL,
        "rule": Column("varchar", "name of the rule; `moderator` and `expired` end the waiting"),
        "reason": Column("varchar", "why it hit, in plain words"),
        "kind": Column("varchar", "what was decided: post, held, rejected or discarded"),
        "place": Column("integer", "its place among the hits of this decision, from 0"),
    },
)
ROUTED_POSTS = Table(
    name="routed_posts",
    about="every mail that became a post of a list; `posts` says what became of it",
    columns={
        **MAIL,
        "author": _AUTHOR,
        "subject": _SUBJECT,
        "message_id": _MESSAGE_ID,
        "personal": Column("boolean", "whether each member gets a copy of their own"),
        "parent": Column("varchar", "id of the post that it answers; empty for none"),
        "thread": Column("varchar", "id of the first post of its conversation"),
        "membership_seq": _AS_OF,
        "settings_seq": _SETTINGS,
        "namesake": Column("varchar", "id of an earlier post with its Message-ID; else empty"),
        "withheld": Column("integer", "persons who get no copy because they wish none"),
    },
)
WITHHELD = Table(
    name="withheld",
    about="who gets no copy of a post because a member option of theirs says so",
    columns={
        **MAIL,
        "person": Column("varchar", "id of the member"),
        "option": Column("varchar", "receive_own_postings or receive_list_copy, which is off"),
    },
)
FANOUTS = Table(
    name="fanouts",
    about="mails of which every copy is queued: posts, and mail to owners",
    columns={
        **MAIL,
        "audience": Column("integer", "recipients"),
        "chunks": Column("integer", "chunks that they were queued in"),
        "membership_seq": _AS_OF,
    },
)
BOUNCE_REPORTS = Table(
    name="bounce_reports",
    about="mails that came back; `bounces` says what they counted for whom",
    columns={
        **of_mail("id of the mail that came back"),
        "about": Column("varchar", "id of the post it is about; empty where it does not tell"),
        "number": Column(
            "bigint", "number of the recipient within the post; null where nothing proves it"
        ),
    },
)
COMMANDS = Table(
    name="commands",
    about="commands that came by mail, and what came of them",
    columns={
        **MAIL,
        "command": Column("varchar", "join, leave, confirm, request, ..."),
        "outcome": Column(
            "varchar",
            "joined, left, waiting, confirmation_sent, answered, refused, ignored, limited",
        ),
        "reason": Column("varchar", "why, in plain words"),
        "person": Column("varchar", "who it was about; empty where that is nobody known"),
        "notice": Column("varchar", "id of the mail that went out in answer; empty where none did"),
    },
)


def fold(_: Carry, messages: Sequence[Message]) -> Folded:
    """Messages of ROUTED as rows."""
    rows: dict[str, list[Row]] = {table.name: [] for table in TABLES}
    for message in messages:
        for event in message.body.events:
            _take(rows, message, event)
    return Folded(rows=rows)


def _take(rows: dict[str, list[Row]], message: Message, event: Event) -> None:
    begin = message.seq, message.us
    match event:
        case FanoutDone():
            size = event.audience, event.chunks, event.as_of.membership
            rows["fanouts"].append((*begin, event.list, event.mail_id, *size))
            return
        case CommandDone():
            rows["commands"].append(
                (
                    *begin,
                    event.list,
                    event.mail_id,
                    event.command,
                    event.outcome,
                    event.reason,
                    event.person,
                    event.notice,
                )
            )
            return
        case PostRouted():
            _post(rows, begin, event)
        case BounceRouted():
            number = event.number if event.number >= 0 else None
            about = event.list, event.mail_id, event.about, number
            rows["bounce_reports"].append((*begin, *about))
        case MailStopped():
            _hits(rows, begin, event.list, event.mail_id, event.verdict, event.hits)
    if (decision := _decision(event)) is not None:
        kind, list_, mail, rule, reason, held = decision
        rows["routing"].append(
            (
                *begin,
                list_,
                mail,
                kind,
                rule,
                reason,
                _of(event, "author"),
                _of(event, "settings", 0),
                message.body.actor,
                _of(event, "subject"),
                _of(event, "message_id"),
                held,
                _of(event, "domain"),
            )
        )


def _post(rows: dict[str, list[Row]], begin: tuple[int, int], event: PostRouted) -> None:
    where = *begin, event.list, event.mail_id
    rows["routed_posts"].append(
        (
            *where,
            event.author,
            event.subject,
            event.message_id,
            event.personal,
            event.parent,
            event.thread or event.mail_id,
            event.as_of.membership,
            event.settings,
            event.namesake,
            len(event.without),
        )
    )
    rows["withheld"] += [(*where, person, option) for person, option in event.without.items()]
    _hits(rows, begin, event.list, event.mail_id, "post", event.hits)


def _hits(
    rows: dict[str, list[Row]],
    begin: tuple[int, int],
    list_: str,
    mail: str,
    kind: str,
    hits: Sequence[RuleHit],
) -> None:
    rows["rule_hits"] += [
        (*begin, list_, mail, hit.rule, hit.reason, kind, place) for place, hit in enumerate(hits)
    ]


def _decision(event: Event) -> tuple[str, str, str, str, str, int] | None:
    """Kind, list, mail, rule, reason, and the sequence of what it decides on."""
    match event:
        case PostRouted():
            return "post", event.list, event.mail_id, event.rule, "", 0
        case OwnerMailRouted():
            return "owner", event.list, event.mail_id, "", "", 0
        case CommandRouted():
            return "command", event.list, event.mail_id, "", event.command, 0
        case BounceRouted():
            return "bounce", event.list, event.mail_id, "", "", 0
        case MailStopped():
            said = event.hits[0] if event.hits else RuleHit(rule="", reason="")
            about = event.verdict, event.list, event.mail_id
            return *about, said.rule, said.reason, event.held
        case HeldAccepted():
            always = "and its sender from now on" if event.always else ""
            return "accepted", event.list, event.mail_id, "moderator", always, event.held
        case MailUnrouted():
            return "unrouted", "none", event.mail_id, "", event.reason, 0
    return None


def _of(event: Event, name: str, default: Any = "") -> Any:
    return getattr(event, name, default)


TABLES = (ROUTING, RULE_HITS, ROUTED_POSTS, WITHHELD, FANOUTS, BOUNCE_REPORTS, COMMANDS)
PROJECTION = Projection(
    name="routing",
    about="what was decided on each mail",
    stream="ROUTED",
    subjects="mail.routed.>",
    tables=TABLES,
    views=(
        View(
            name="rules_caught",
            about="what each rule caught: mails that were not posted at once, by list and day",
            columns={
                "list": "slug of the list",
                "day": "day of the decision, UTC",
                "rule": "the rule that decided",
                "kind": "held, rejected or discarded",
                "mails": "how many",
                "posted": "of those held, how many somebody let through since",
            },
            sql="""
                select r.list, r.ts::date as day, r.rule, r.kind, count(*) as mails,
                    count(*) filter (v.kind = 'accepted') as posted
                from routing r
                left join routing v
                    on v.held_seq = r.seq and v.list = r.list and v.mail = r.mail
                where r.kind in ('held', 'rejected', 'discarded') and r.held_seq = 0
                group by all
            """,
        ),
    ),
    queries=(
        Query(
            name="decisions",
            about="what was decided on one mail, in order",
            parameters={"mail": "varchar"},
            sql="select * from routing where mail = $mail order by seq",
        ),
        Query(
            name="hits",
            about="the rules that hit one mail, in order",
            parameters={"mail": "varchar"},
            sql="select * from rule_hits where mail = $mail order by seq, place",
        ),
    ),
    fold=fold,
)
