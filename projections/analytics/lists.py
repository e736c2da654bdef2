"""LISTS as rows: which lists there are, and what was set when, by whom.

Addresses in what owners wrote are masked, and of a password only is told that there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from projections.masking import MASK, bears, masked
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
from schemas.envelope import Event
from schemas.lists import ListClosed, ListConfigured, ListCreated, ListLetterSet, ListSettings

EVENTS = Table(
    name="list_events",
    about="What happened to lists: one row for each event.",
    columns={
        "seq": SEQ,
        "ts": TS,
        "list": Column("varchar", "slug of the list: fixed when it was made, never used again"),
        "event": Column("varchar", "created, configured, letter_set, closed"),
        "address": Column(
            "varchar", "of created: the address that posts are written to; else null"
        ),
        "actor": Column("varchar", "who did it: operator, operator:LOGIN, person:ID, service:NAME"),
        "reason": Column("varchar", "of closed: why, in words; else null"),
        "correlation": Column("varchar", "the command or mail that this belongs to"),
    },
)

SETTINGS = Table(
    name="settings_history",
    about="Each change of a setting of a list. What a list was made with is a change from the "
    "default. Texts stand as they are, other values as JSON; addresses in them are masked.",
    columns={
        "seq": SEQ,
        "ts": TS,
        "list": Column("varchar", "slug of the list"),
        "setting": Column(
            "varchar", "name of the setting, or `letter NAME LANGUAGE` for a text of its own"
        ),
        "old": Column("varchar", "value before; null: none"),
        "new": Column("varchar", "value from then on; null: none"),
        "actor": Column("varchar", "who did it: operator, operator:LOGIN, person:ID, service:NAME"),
        "correlation": Column("varchar", "the command or mail that this belongs to"),
    },
)

_SECRETS = ("moderator_password",)
_USUAL = msgspec.structs.asdict(ListSettings())
_NAMES: Mapping[type[Event], str] = {
    ListCreated: "created",
    ListConfigured: "configured",
    ListLetterSet: "letter_set",
    ListClosed: "closed",
}


def fold(_: Carry, messages: Sequence[Message]) -> Folded:
    """A row for each event, and one for each setting that it changed."""
    events: list[Row] = []
    settings: list[Row] = []
    for message in messages:
        list_ = message.subject.partition(".")[2]
        actor, correlation = message.body.actor, message.body.correlation
        for event in message.body.events:
            name = _NAMES.get(type(event))
            if name is None:
                continue
            where = (message.seq, message.us, list_)
            address = event.address if isinstance(event, ListCreated) else None
            reason = masked(event.reason) if isinstance(event, ListClosed) else None
            events.append((*where, name, address, actor, reason, correlation))
            settings += [(*where, *change, actor, correlation) for change in _changes(event)]
    return Folded(rows={EVENTS.name: events, SETTINGS.name: settings})


def _changes(event: Event) -> Iterator[tuple[str, str | None, str | None]]:
    """Name, old and new value of each setting that an event changes."""
    changes: Iterable[tuple[str, object, object]] = ()
    match event:
        case ListCreated():
            made = msgspec.structs.asdict(event.settings)
            changes = [(n, _USUAL[n], made[n]) for n in made if made[n] != _USUAL[n]]
        case ListConfigured():
            changes = [(name, old, new) for name, (old, new) in event.changes.items()]
        case ListLetterSet():
            name = f"letter {event.letter} {event.language}".rstrip()
            changes = [(name, event.old or None, event.new or None)]
    for name, old, new in changes:
        yield name, _told(name, old), _told(name, new)


def _told(name: str, value: object) -> str | None:
    if value is None:
        return None
    if name in _SECRETS:
        return "(set)" if value else ""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, list | tuple):  # addresses, or patterns of some: each whole
        value = [MASK if isinstance(one, str) and bears(one) else one for one in value]
    return masked(msgspec.json.encode(value).decode())


LISTS = View(
    name="lists",
    about="Every list, open or closed.",
    columns={
        "list": "slug of the list",
        "address": "the address that posts are written to",
        "display_name": "its name, as copies show it; empty: none",
        "description": "what it is about, in the owners' words",
        "created_at": "when it was made",
        "closed_at": "when it was closed; null: it is open",
        "members": "how many members it has now, those whose delivery has stopped among them",
    },
    sql="""
        with made as (
            select list, any_value(address) filter (event = 'created') as address,
                min(ts) filter (event = 'created') as created_at,
                max(ts) filter (event = 'closed') as closed_at
            from list_events group by list
        ),
        named as (
            select list,
                arg_max_null(new, seq) filter (setting = 'display_name') as display_name,
                arg_max_null(new, seq) filter (setting = 'description') as description
            from settings_history group by list
        ),
        counted as (
            select list, sum(case event when 'subscribed' then 1 else -1 end)::bigint as members
            from membership_events
            where role = 'member' and event in ('subscribed', 'unsubscribed') group by list
        )
        select list, address, coalesce(display_name, '') as display_name,
            coalesce(description, '') as description, created_at, closed_at,
            coalesce(members, 0) as members
        from made left join named using (list) left join counted using (list)
    """,
)

NOW = View(
    name="settings",
    about="The settings of each list today that were ever changed; all others have their default.",
    columns={
        "list": "slug of the list",
        "setting": "name of the setting",
        "value": "what it is now; null: none",
        "since": "since when",
        "actor": "who set it",
    },
    sql="""
        select list, setting, arg_max_null(new, seq) as value, max(ts) as since,
            arg_max(actor, seq) as actor
        from settings_history group by list, setting
    """,
)

HISTORY = Query(
    name="settings_of_list",
    about="Each change of a list's settings, in order.",
    parameters={"list": "varchar"},
    sql="select * from settings_history where list = $list order by seq, setting",
)

PROJECTION = Projection(
    name="lists",
    about="lists and their settings",
    stream="LISTS",
    subjects="lists.>",
    tables=(EVENTS, SETTINGS),
    views=(LISTS, NOW),
    queries=(HISTORY,),
    fold=fold,
)
