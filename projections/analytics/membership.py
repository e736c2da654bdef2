"""What happened to whom on which list, event by event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from projections.instants import maybe_us, us
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
from schemas.envelope import Event
from schemas.membership import (
    MemberBounced,
    MemberChanged,
    MemberMoved,
    MemberProbed,
    MemberSubscribed,
    MemberUnsubscribed,
    MemberWarned,
)

EVENTS = Table(
    name="membership_events",
    about="Everything that happened to a person on a list: one row for each event. It holds no "
    "address, and is kept for ever.",
    columns={
        "seq": SEQ,
        "ts": TS,
        "list": Column("varchar", "slug of the list"),
        "person": Column("varchar", "random id of the person", sought=True),
        "event": Column(
            "varchar",
            "subscribed (has `role` from now on), unsubscribed (has it no more), changed "
            "(options), moved (to another address), bounced (details in `bounces`), probed (a "
            "letter went out to see whether it comes back), warned (told that bounces stopped "
            "their delivery)",
        ),
        "role": Column(
            "varchar",
            "member, owner, moderator, or nonmember (a stranger somebody decided on); null where "
            "the event is about no role",
        ),
        "delivery_mode": Column(
            "varchar",
            "regular or none (no posts); null: this event leaves it as it was, but that who is no "
            "member any more has none of the options of one",
        ),
        "delivery_status": Column(
            "varchar",
            "enabled, or who stopped delivery: by_user, by_bounces, by_moderator; null: as with "
            "delivery_mode",
        ),
        "moderation": Column(
            "varchar",
            "what becomes of their posts: defer, accept, hold, reject, discard; empty: as the list "
            "has it; null: this event leaves it as it was",
        ),
        "how": Column("varchar", "by which way: command line, import, mail, web, bounces, ..."),
        "reason": Column("varchar", "why, in words, where it was not the member; empty: not said"),
        "actor": Column("varchar", "who did it: service:NAME, person:ID, operator, operator:LOGIN"),
        "correlation": Column("varchar", "the mail or command that this belongs to"),
        "nth": Column("usmallint", "place among the events of the same message, from 0"),
        "receive_own_postings": Column("boolean", "whether they get their own posts; null: as was"),
        "receive_list_copy": Column(
            "boolean", "whether they get copies of posts that name them, too; null: as it was"
        ),
        "preferred_language": Column(
            "varchar", "of letters to them; empty: the list's; null: as it was"
        ),
        "since": Column(
            "timestamp", "when they came onto the list where that was before; null: with this event"
        ),
        "consent": Column(
            "varchar", "the mail that said yes to a role; null where an actor vouches for it"
        ),
        "happened": Column(
            "timestamp",
            "when they moved, a copy came back, or a letter went out; null for other events",
        ),
        "mail": Column("varchar", "of probed: the letter; of bounced: what did not arrive"),
        "number": Column("uinteger", "of warned: which warning, from 1; else null"),
    },
    # a run of messages that say the same: an import, those whom a provider's trouble stopped
    given={
        "seq": "ubigint[]",
        "ts": "bigint[]",
        "list": "varchar",
        "person": "varchar[]",
        "event": "varchar",
        "role": "varchar",
        "delivery_mode": "varchar",
        "delivery_status": "varchar",
        "moderation": "varchar",
        "how": "varchar",
        "reason": "varchar",
        "actor": "varchar",
        "correlation": "varchar",
        "nth": "usmallint",
        "receive_own_postings": "boolean",
        "receive_list_copy": "boolean",
        "preferred_language": "varchar",
        "since": "bigint",
        "consent": "varchar",
        "happened": "bigint",
        "mail": "varchar",
        "number": "uinteger",
    },
    select="""
        unnest(seq), make_timestamp(unnest(ts)), list, unnest(person), event, role, delivery_mode,
        delivery_status, moderation, how, reason, actor, correlation, nth, receive_own_postings,
        receive_list_copy, preferred_language, make_timestamp(since), consent,
        make_timestamp(happened), mail, number
    """,
)


# What an event says: (event, role, mode, status, moderation, how, reason), and the rest from
# receive_own_postings on.
_Said = tuple[tuple[Any, ...], tuple[Any, ...]]
_NOTHING = (None,) * 8


def _subscribed(event: MemberSubscribed) -> _Said:
    mode: str | None = None
    status: str | None = None
    if event.role == "member":  # any other role brings no options
        mode, status = event.delivery_mode, event.delivery_status
    said = ("subscribed", event.role, mode, status, None, event.how, "")
    if event.since is None and event.consent is None:  # nearly all
        return said, _NOTHING
    consent = event.consent.answered if event.consent is not None else ""
    return said, (None, None, None, maybe_us(event.since), consent or None, None, None, None)


def _unsubscribed(event: MemberUnsubscribed) -> _Said:
    said = ("unsubscribed", event.role, None, None, None, event.how, event.reason)
    return said, _NOTHING


def _changed(event: MemberChanged) -> _Said:
    options = (event.delivery_mode, event.delivery_status, event.moderation_action)
    others = (event.receive_own_postings, event.receive_list_copy, event.preferred_language)
    said = ("changed", None, *options, event.how, event.reason)
    return said, (*others, None, None, None, None, None)


def _moved(event: MemberMoved) -> _Said:
    return _sent("moved", event.at, how=event.how)


def _bounced(event: MemberBounced) -> _Said:
    return _sent("bounced", event.at, mail=event.post)


def _probed(event: MemberProbed) -> _Said:
    return _sent("probed", event.at, mail=event.mail_id)


def _warned(event: MemberWarned) -> _Said:
    return _sent("warned", event.at, number=event.number)


def _sent(
    name: str, at: datetime, *, how: str = "", mail: str = "", number: int | None = None
) -> _Said:
    said = (name, None, None, None, None, how, "")
    return said, (None, None, None, None, None, us(at), mail or None, number)


_SAYS: Mapping[type[Event], Callable[[Any], _Said]] = {
    MemberSubscribed: _subscribed,
    MemberUnsubscribed: _unsubscribed,
    MemberChanged: _changed,
    MemberMoved: _moved,
    MemberBounced: _bounced,
    MemberProbed: _probed,
    MemberWarned: _warned,
}


def fold(_: Carry, messages: Sequence[Message]) -> Folded:
    """A row for each event, in runs of those that say the same; of one that is no member's, none.
    What is different in each row of a run is a list."""
    runs: list[Row] = []
    last: Any = None
    seqs: list[int] = []
    times: list[int] = []
    people: list[str] = []
    for message in messages:
        list_, person = message.subject.split(".")[1:]
        body = message.body
        for nth, event in enumerate(body.events):
            this = list_, event, body.actor, body.correlation, nth
            if this != last:
                says = _SAYS.get(type(event))
                if says is None:
                    continue
                last = this
                said, rest = says(event)
                seqs, times, people = [], [], []
                about = *said, body.actor, body.correlation, nth, *rest
                runs.append((seqs, times, list_, people, *about))
            seqs.append(message.seq)
            times.append(message.us)
            people.append(person)
    return Folded(rows={EVENTS.name: runs})


STORY = Query(
    name="membership_story",
    about="What happened to a person on a list, in order, with what their bounces said.",
    parameters={"list": "varchar", "person": "varchar"},
    sql="""
        select e.*, b.kind, b.points, b.score, b.status, b.said, b.server, b.report
        from (select * from membership_events where list = $list and person = $person) e
        left join (select * from bounces where list = $list and person = $person) b
        using (seq, nth)
        order by e.seq, e.nth
    """,
)

PROJECTION = Projection(
    name="membership",
    about="what happened to members",
    stream="MEMBERSHIP",
    subjects="membership.>",
    tables=(EVENTS,),
    queries=(STORY,),
    fold=fold,
)
