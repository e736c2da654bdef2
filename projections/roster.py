"""Who is on which list, now and at any earlier moment: MEMBERSHIP and PEOPLE as tables.

`member` holds a row for every state a person had on a list, valid from the sequence `from_seq`
up to, and not including, `to_seq` (null: until now). `people` holds the address of each key; an
erased or dropped one stays as a row without address, so that a person not folded yet is told from
one who was forgotten. Of an address that has had several persons each has a row. Folds are pure:
the rows that stand now and some messages in, changes out.

No index: at a million rows one costs 180 MB. A `mark` instead, 64 bits of a digest, beside what is
looked for: comparing a column of these takes 3 ms, comparing the ids themselves 25.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from projections.change import Change
from schemas.envelope import Envelope, Event
from schemas.membership import (
    DeliveryMode,
    DeliveryStatus,
    MemberChanged,
    MemberSubscribed,
    MemberUnsubscribed,
    Moderation,
    Role,
)
from schemas.people import AddressDropped, PersonErased, PersonKnown

VERSION = 5
STREAMS = ("MEMBERSHIP", "PEOPLE")

Key = tuple[str, str]  # list, person
Message = tuple[str, int, Envelope]  # subject, sequence, envelope

_MEMBER = {
    "list": "varchar",
    "person": "varchar",
    "member": "boolean",
    "owner": "boolean",
    "moderator": "boolean",
    "nonmember": "boolean",
    "delivery_mode": "varchar",
    "delivery_status": "varchar",
    "moderation": "varchar",
    "receive_own_postings": "boolean",
    "receive_list_copy": "boolean",
    "preferred_language": "varchar",
    "since": "timestamp",  # UTC: when they came onto the list, here or where it was before
    "from_seq": "ubigint",
    "to_seq": "ubigint",
}
_ENDED = {"list": "varchar", "person": "varchar", "to_seq": "ubigint"}
_PEOPLE = {
    "key": "varchar",
    "person": "varchar",
    "address": "varchar",  # as written; null once erased
    "name": "varchar",
    "domain": "varchar",
    "secondary": "boolean",  # nothing is sent there
    "seq": "ubigint",
}


def _columns(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


TABLES = f"""
    create table member ({_columns(_MEMBER)}, mark ubigint);
    create table people ({_columns(_PEOPLE)}, mark ubigint, key_mark ubigint);
    create macro mark(id) as hash(id);
    create macro receives(member, mode, status) as
        member and mode = 'regular' and status = 'enabled';
"""

_CLOSE = """
    update member set to_seq = ended.to_seq from appender_data as ended
    where member.mark = mark(ended.person) and member.person = ended.person
    and member.list = ended.list and member.to_seq is null
"""
_OPEN = "insert into member select *, mark(person) from appender_data"
_KNOWN = {"key": "varchar", "person": "varchar"}
_FORGET = """
    delete from people using appender_data as known
    where people.key_mark = mark(known.key) and people.key = known.key
    and people.person = known.person
"""
_KNOW = "insert into people select *, mark(person), mark(key) from appender_data"


class Standing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How one person stands on one list, from the sequence `from_seq` on."""

    roles: frozenset[Role] = frozenset()
    delivery_mode: DeliveryMode = "regular"
    delivery_status: DeliveryStatus = "enabled"
    moderation: Moderation = ""
    receive_own_postings: bool = True
    receive_list_copy: bool = True
    preferred_language: str = ""
    since: datetime | None = None  # UTC, without saying so
    from_seq: int = 0

    @property
    def receives(self) -> bool:
        """Whether posts go to this person one by one; the macro `receives` says it in SQL."""
        return (
            "member" in self.roles
            and self.delivery_mode == "regular"
            and self.delivery_status == "enabled"
        )


NOBODY = Standing()
MEMBERS: frozenset[Role] = frozenset({"member"})
STRANGER: frozenset[Role] = frozenset({"nonmember"})  # who is no more is not on the list


def after(standing: Standing, event: Event) -> Standing:
    """The standing after `event`; losing the last role forgets every option."""
    if isinstance(event, MemberSubscribed):
        if standing is NOBODY and event.role == "member":  # nearly all, where a roster is built
            mode, status = event.delivery_mode, event.delivery_status
            return Standing(roles=MEMBERS, delivery_mode=mode, delivery_status=status)
        roles = standing.roles | {event.role}
        if event.role != "member":
            return msgspec.structs.replace(standing, roles=roles)
        return msgspec.structs.replace(
            standing,
            roles=roles,
            delivery_mode=event.delivery_mode,
            delivery_status=event.delivery_status,
        )
    if isinstance(event, MemberUnsubscribed):
        roles = standing.roles - {event.role}
        if not roles:
            return NOBODY
        if event.role != "member":
            return msgspec.structs.replace(standing, roles=roles)
        return msgspec.structs.replace(
            standing,
            roles=roles,
            delivery_mode="regular",
            delivery_status="enabled",
            receive_own_postings=True,
            receive_list_copy=True,
            preferred_language="",
        )
    if isinstance(event, MemberChanged) and standing.roles:
        wanted = {
            "delivery_mode": event.delivery_mode,
            "delivery_status": event.delivery_status,
            "moderation": event.moderation_action,
            "receive_own_postings": event.receive_own_postings,
            "receive_list_copy": event.receive_list_copy,
            "preferred_language": event.preferred_language,
        }
        changed = {name: value for name, value in wanted.items() if value is not None}
        return msgspec.structs.replace(standing, **changed)
    return standing


def keys_of(messages: Iterable[Message], new: Collection[str] = frozenset()) -> set[Key]:
    """Whose rows `fold_membership` has to be given; of the subjects `new` there is none."""
    return {_key(subject) for subject, _, _ in messages if subject not in new}


def persons_of(messages: Iterable[Message]) -> Iterator[tuple[str, str]]:
    """Of whom messages of PEOPLE speak: key of the address, person."""
    for subject, _, envelope in messages:
        for event in envelope.events:
            if isinstance(event, PersonKnown | PersonErased | AddressDropped):
                yield subject.partition(".")[2], event.person


def fold_membership(
    current: Mapping[Key, Standing], messages: Iterable[Message]
) -> tuple[Change, ...]:
    """What messages of MEMBERSHIP, in order, change; `current` holds the open rows of theirs."""
    now = dict(current)
    ended: list[tuple[str, str, int]] = []  # rows of the table
    passed: list[tuple[Any, ...]] = []  # rows that began and ended among these messages
    for subject, seq, envelope in messages:
        key = _key(subject)
        standing = before = now.get(key, NOBODY)
        for event in envelope.events:
            standing = after(standing, event)
        if standing is before or standing == before:
            continue
        if before.roles and current.get(key) == before:
            ended.append((*key, seq))
        elif before.roles:
            passed.append(_row(key, before, seq))
        stays = before.roles - STRANGER or before.roles == standing.roles
        since = before.since if stays else _since(envelope)
        now[key] = msgspec.structs.replace(standing, since=since, from_seq=seq)
    begun = [
        _row(key, standing, None)
        for key, standing in now.items()
        if standing.roles and standing != current.get(key)
    ]
    return (
        Change(sql=_CLOSE, columns=_ENDED, rows=ended, finds=True),
        Change(sql=_OPEN, columns=_MEMBER, rows=[*passed, *begun]),
    )


def fold_people(
    messages: Iterable[Message], new: Collection[str] = frozenset()
) -> tuple[Change, ...]:
    """What messages of PEOPLE, in order, change; of the subjects `new` there is no row."""
    rows: dict[tuple[str, str], tuple[Any, ...]] = {}
    before: dict[tuple[str, str], None] = {}
    for subject, seq, envelope in messages:
        key = subject.partition(".")[2]
        for event in envelope.events:
            if isinstance(event, PersonKnown):
                domain = event.address.rpartition("@")[2].lower()
                about = (event.display_name, domain, event.secondary, seq)
                rows[key, event.person] = (key, event.person, event.address, *about)
            elif isinstance(event, PersonErased | AddressDropped):
                rows[key, event.person] = (key, event.person, None, "", "", False, seq)
            else:
                continue
            if subject not in new:
                before[key, event.person] = None
    return (
        Change(sql=_FORGET, columns=_KNOWN, rows=list(before), finds=True),
        Change(sql=_KNOW, columns=_PEOPLE, rows=list(rows.values())),
    )


def _key(subject: str) -> Key:
    _, list_, person = subject.split(".")
    return list_, person


def _since(envelope: Envelope) -> datetime:
    """When somebody came whom this message brings: now, or as long ago as an event of it says."""
    since = envelope.ts
    for event in envelope.events:
        if isinstance(event, MemberSubscribed) and event.since is not None:
            since = min(since, event.since)
    return _utc(since)


def _utc(time: datetime) -> datetime:
    if time.tzinfo is not UTC:
        time = time.astimezone(UTC)
    return datetime.combine(time.date(), time.time())  # a tenth of what replace(tzinfo=None) costs


def _row(key: Key, standing: Standing, to_seq: int | None) -> tuple[Any, ...]:
    roles = standing.roles
    return (
        *key,
        "member" in roles,
        "owner" in roles,
        "moderator" in roles,
        "nonmember" in roles,
        standing.delivery_mode,
        standing.delivery_status,
        standing.moderation,
        standing.receive_own_postings,
        standing.receive_list_copy,
        standing.preferred_language,
        standing.since,
        standing.from_seq,
        to_seq,
    )
