"""What happened, event by event: the same logs that the tables are folded from, told. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from projections.roster import NOBODY, Standing, after
from schemas.envelope import Envelope, Event
from schemas.lists import ListClosed, ListConfigured, ListCreated, ListLetterSet, ListSettings
from schemas.membership import (
    Consent,
    MemberBounced,
    MemberChanged,
    MemberMoved,
    MemberProbed,
    MemberSubscribed,
    MemberUnsubscribed,
    MemberWarned,
)
from schemas.people import AddressDropped, PersonErased, PersonKnown

# of a standing: its field, and how commands and settings call it
OPTIONS = {"moderation": "moderation_action"}
_NO_OPTIONS = ("roles", "since", "from_seq")
_TOLD_APART = ("t", "v", "role", "how", "reason", "person")  # fields with a place of their own

Change = tuple[str, object, object]  # name, old, new


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One event, told. `envelope` is what it came in; `facts` are what else it says."""

    envelope: Envelope
    event: str  # its type
    what: str
    role: str = ""
    changes: tuple[Change, ...] = ()
    facts: Mapping[str, object] = {}
    how: str = ""
    reason: str = ""


def of_list(said: Iterable[Envelope]) -> Iterator[Told]:
    """The envelopes of one list, in order: each setting as it was and became."""
    for envelope in said:
        for event in envelope.events:
            tell = partial(Told, envelope=envelope, event=_type(event))
            match event:
                case ListCreated():
                    usual, made = map(msgspec.structs.asdict, (ListSettings(), event.settings))
                    changes = [(n, usual[n], made[n]) for n in made if made[n] != usual[n]]
                    yield tell(what="created", changes=tuple(changes))
                case ListConfigured():
                    changes = [(name, *change) for name, change in event.changes.items()]
                    yield tell(what="changed", changes=tuple(changes))
                case ListLetterSet():
                    name = f"letter {event.letter} {event.language}".rstrip()
                    yield tell(what="changed", changes=((name, event.old, event.new),))
                case ListClosed():
                    yield tell(what="closed", reason=event.reason)
                case _:
                    yield tell(what=_words(event), facts=_facts(event))


def of_member(said: Iterable[Envelope]) -> Iterator[Told]:
    """The envelopes of one person on one list, in order, and what they changed."""
    standing = NOBODY
    for envelope in said:
        for event in envelope.events:
            before, standing = standing, after(standing, event)
            yield _told(envelope, event, before, standing)


def of_person(said: Iterable[Envelope]) -> Iterator[Told]:
    """The envelopes of PEOPLE about one person; nothing of it is personal."""
    for envelope in said:
        for event in envelope.events:
            tell = partial(Told, envelope=envelope, event=_type(event))
            match event:
                case PersonKnown():
                    yield tell(what="became known", how=event.evidence)
                case PersonErased():
                    yield tell(what="erased")
                case AddressDropped():
                    yield tell(what="left this address")
                case _:
                    yield tell(what=_words(event))


def _told(envelope: Envelope, event: Event, before: Standing, standing: Standing) -> Told:
    changes = _differences(before, standing)
    facts: Mapping[str, object] = {}
    match event:
        case MemberSubscribed():
            what = "joined" if event.role == "member" else f"became {event.role}"
            facts = {**_facts(event, "since"), **_facts(event.consent or Consent())}
        case MemberUnsubscribed(role="member"):
            what, changes = "left", ()  # it forgets the options, which nobody changed
        case MemberUnsubscribed():
            what, changes = f"is {event.role} no more", ()
        case MemberChanged():
            what = "changed"
        case MemberMoved():
            what = "changed their address"
        case MemberBounced():
            what, facts = "complained" if event.kind == "complaint" else "bounced", _facts(event)
        case MemberProbed():
            what, facts = "was probed", _facts(event)
        case MemberWarned():
            what, facts = "was warned", _facts(event)
        case _:  # of another kind: as it stands
            what, facts = _words(event), _facts(event)
    return Told(
        envelope=envelope,
        event=_type(event),
        what=what,
        role=getattr(event, "role", ""),
        changes=changes,
        facts=facts,
        how=getattr(event, "how", ""),
        reason=getattr(event, "reason", ""),
    )


def _differences(before: Standing, standing: Standing) -> tuple[Change, ...]:
    names = (name for name in Standing.__struct_fields__ if name not in _NO_OPTIONS)
    values = ((name, getattr(before, name), getattr(standing, name)) for name in names)
    return tuple((OPTIONS.get(name, name), old, new) for name, old, new in values if old != new)


def _facts(event: Event | Consent, *only: str) -> dict[str, object]:
    """What an event says besides, as plain data; `only` these fields, where any are named."""
    plain: dict[str, Any] = msgspec.to_builtins(event)
    named = only or [name for name in plain if name not in _TOLD_APART]
    return {name: plain[name] for name in named if name in plain}


def _type(event: Event) -> str:
    return str(event.__struct_config__.tag)


def _words(event: Event) -> str:
    return _type(event).replace("_", " ")
