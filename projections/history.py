"""What happened, event by event: the same logs that the tables are folded from, told. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import msgspec

from projections.roster import NOBODY, Standing, after
from schemas.envelope import Envelope, Event
from schemas.membership import MemberChanged, MemberSubscribed, MemberUnsubscribed
from schemas.people import PersonErased, PersonKnown

# of a standing: its field, and how commands and settings call it
OPTIONS = {"moderation": "moderation_action"}
_NO_OPTIONS = ("roles", "since", "from_seq")
_TOLD_APART = ("t", "v", "role", "how", "reason", "person")  # fields with a place of their own

Change = tuple[str, object, object]  # name, old, new


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One event, told. `envelope` is what it came in."""

    envelope: Envelope
    event: str  # its type
    what: str
    role: str = ""
    changes: tuple[Change, ...] = ()
    how: str = ""
    reason: str = ""


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
                case _:
                    yield tell(what=_words(event))


def _told(envelope: Envelope, event: Event, before: Standing, standing: Standing) -> Told:
    changes: tuple[Change, ...] = ()
    match event:
        case MemberSubscribed(role="member"):
            what, changes = "joined", _differences(before, standing)
        case MemberSubscribed():
            what = f"became {event.role}"
        case MemberUnsubscribed(role="member"):
            what = "left"
        case MemberUnsubscribed():
            what = f"is {event.role} no more"
        case MemberChanged():
            what, changes = "changed", _differences(before, standing)
        case _:  # of another kind: as it stands
            what, changes = _words(event), (*_differences(before, standing), *_fields(event))
    return Told(
        envelope=envelope,
        event=_type(event),
        what=what,
        role=getattr(event, "role", ""),
        changes=changes,
        how=getattr(event, "how", ""),
        reason=getattr(event, "reason", ""),
    )


def _differences(before: Standing, standing: Standing) -> tuple[Change, ...]:
    names = (name for name in Standing.__struct_fields__ if name not in _NO_OPTIONS)
    values = ((name, getattr(before, name), getattr(standing, name)) for name in names)
    return tuple((OPTIONS.get(name, name), old, new) for name, old, new in values if old != new)


def _fields(event: Event) -> Iterator[Change]:
    plain: dict[str, Any] = msgspec.to_builtins(event)
    return ((name, None, value) for name, value in plain.items() if name not in _TOLD_APART)


def _type(event: Event) -> str:
    return str(event.__struct_config__.tag)


def _words(event: Event) -> str:
    return _type(event).replace("_", " ")
