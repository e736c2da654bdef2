"""Who left a list is not put back by a file that still has them. Pure.

A file is older than what happened here: it says that somebody agreed once, not that they came
back. What an undo took off was never meant; and a sync may add again whom a sync, or an operator,
took off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from projections.roster import NOBODY
from schemas.envelope import Envelope
from schemas.membership import MemberUnsubscribed, Role
from services.membership import actors
from services.membership.restoring import Period

UNDO = "undo"
BY_OPERATORS = ("command line", "import", "sync")


class Departure(msgspec.Struct, frozen=True, gc=False):
    """When somebody lost a role, and through whom."""

    at: datetime
    actor: str
    how: str


def last_departure(history: Iterable[Envelope], role: Role) -> Departure | None:
    """The last time that this role was lost, other than by an undo; None where it never was."""
    found = None
    for envelope in history:
        for event in envelope.events:
            if not isinstance(event, MemberUnsubscribed) or event.how == UNDO:
                continue
            if event.role == role:
                found = Departure(envelope.ts, envelope.actor, event.how)
    return found


def is_undone(last: Envelope) -> bool:
    """Whether this took a role back that should never have been given."""
    return any(isinstance(one, MemberUnsubscribed) and one.how == UNDO for one in last.events)


def only_once(periods: Sequence[Period], role: Role) -> bool:
    """Whether somebody who lived through these lost the role no more than once."""
    after = [*(standing for standing, _ in periods[1:]), NOBODY]
    lost = [
        role in standing.roles and (role not in then.roles or then.from_seq != end)
        for (standing, end), then in zip(periods, after, strict=True)
        if end is not None
    ]
    return sum(lost) <= 1


def stays_away(left: Departure, person: str, *, how: str, since: datetime | None) -> str:
    """Why a file that came by `how` does not put this person back, in words; empty where it does.
    Somebody who came `since` then to where the file is from came after they had left here."""
    if since is not None and since > left.at:
        return ""
    if how == "sync" and left.how in BY_OPERATORS:
        return ""
    by = actors.told(left.actor, {}, person)
    who = {"themselves": "left themselves", actors.ERASED: "removed by an owner"}.get(by, "")
    if not who:
        who = f"removed by {by}" + (f" ({left.how})" if left.how not in by else "")
    return f"{who}, {left.at:%Y-%m-%d}"
