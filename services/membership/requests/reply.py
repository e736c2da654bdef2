"""What came of each command of a mail, and the letters that say so. Pure.

However many commands a mail has, each mailbox gets one letter: those that came of a mail mostly
go to its author, but a token speaks to whom it was sent to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal[
    "joined", "left", "confirmation_sent", "limited", "refused", "answered", "ignored"
]
_WEIGHT: Sequence[Outcome] = (
    "joined",
    "left",
    "confirmation_sent",
    "limited",
    "refused",
    "answered",
    "ignored",
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one command.

    `text` names a text of the letters, empty where nothing is said; `to` is a mailbox. `owed`: it
    is written whatever the limits say, because something was done that whoever reads it asked
    for by a token, or because it is the confirmation itself. `person` is who `to` is, where that
    is known.
    """

    outcome: Outcome
    reason: str = ""
    text: str = ""
    to: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    owed: bool = False
    person: str = ""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The replies that go to one mailbox in one letter."""

    to: str
    texts: tuple[str, ...]
    fields: Mapping[str, str]
    owed: bool
    person: str = ""


def decisive(replies: Iterable[Reply]) -> Reply:
    """The reply that tells what came of the whole mail: the first of the weightiest."""
    return min(replies, key=lambda reply: _WEIGHT.index(reply.outcome))


def bundles(replies: Iterable[Reply]) -> tuple[Bundle, ...]:
    """One bundle for each mailbox, in the order in which they are first written to. What says
    the same is said once."""
    found: dict[str, list[Reply]] = {}
    for reply in replies:
        if reply.text and reply.to:
            found.setdefault(reply.to, []).append(reply)
    return tuple(_bundle(to, group) for to, group in found.items())


def _bundle(to: str, group: Sequence[Reply]) -> Bundle:
    fields: dict[str, str] = {}
    for reply in group:
        fields.update(reply.fields)
    return Bundle(
        to=to,
        texts=tuple(dict.fromkeys(reply.text for reply in group)),
        fields=fields,
        owed=any(reply.owed for reply in group),
        person=next((reply.person for reply in group if reply.person), ""),
    )
