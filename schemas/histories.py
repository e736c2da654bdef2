"""What happened, as membership answers it (`schemas.commands.Answer`). Never stored."""

from __future__ import annotations

import msgspec

from schemas.mail import Data
from schemas.membership import Role


class HistoryRow(Data, kw_only=True):
    """One event of a history. `time` is RFC 3339, `event` its type, `what` says it in words;
    `changes` are (name, old, new), `facts` what else it says. `by` says in words who did it, an
    address where that is known; `actor` and `command` are those of the envelope."""

    time: str
    event: str
    what: str
    role: str = ""
    changes: tuple[tuple[str, object, object], ...] = ()
    facts: dict[str, object] = msgspec.field(default_factory=dict)
    how: str = ""
    reason: str = ""
    by: str = ""
    actor: str = ""
    command: str = ""


class ListConsent(Data, kw_only=True):
    """On one list: what somebody is there today, and each time that they got or lost a role."""

    list: str  # address
    roles: tuple[Role, ...] = ()
    events: tuple[HistoryRow, ...] = ()


class Person(Data, kw_only=True):
    """What is kept of somebody; the facts of an event of a list are those of
    `schemas.membership.Consent`. Of their `addresses` copies go to the first."""

    person: str
    address: str
    addresses: tuple[str, ...] = ()
    display_name: str = ""
    events: tuple[HistoryRow, ...] = ()
    lists: tuple[ListConsent, ...] = ()


class Whose(Data, kw_only=True):
    """Whom an address belongs to, or did: copies go to `address` now. `since` (RFC 3339) is when it
    became theirs, empty where it is theirs no more, and `until` when it ceased to be; of who was
    `erased` nothing else is known."""

    person: str
    address: str = ""
    since: str = ""
    until: str = ""
    erased: bool = False
