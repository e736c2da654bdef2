"""What came of each command of a mail, and the letters that say so. Pure.

However many commands a mail has, each mailbox gets one letter, but one for each token that it has
to be told: those that came of a mail mostly go to its author, but a token speaks to whom it was
sent to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from schemas.membership import Role

# the weightiest first
Outcome = Literal[
    "joined",
    "left",
    "moved",
    "waiting",
    "decided",
    "confirmation_sent",
    "limited",
    "refused",
    "answered",
    "ignored",
]
_WEIGHT: Sequence[Outcome] = get_args(Outcome)

# Texts that say how the reader stands to the list. Of those in one letter the last is true.
_CHANGED = ("welcome", "goodbye", "mail_is_on", "mail_is_off")
_UNCHANGED = ("already_member", "not_member")
_OPTIONS = (("own_on", "own_off"), ("copies_on", "copies_off"))  # of each the last is true too


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


BY_PROGRAM = Reply("ignored", "it may be a vacation notice or a bounce, which decides nothing")


def counted(reply: Reply) -> Reply:
    """The same without a claim to be written: a From is easily forged, and a goodbye that was
    asked for by a proved one is the only one that is its due."""
    return reply if reply.outcome == "left" else replace(reply, owed=False)


def in_role(reply: Reply, role: Role) -> Reply:
    """The same, where it says which role it is about: that of a member is no news."""
    if role == "member":
        return reply
    return replace(reply, fields={**reply.fields, "wish": f"role_{role}"})


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
    """The letters, in the order in which their mailboxes are first written to. What says the
    same is said once, and of what contradicts itself only how things stand in the end."""
    found: dict[str, list[Reply]] = {}
    for reply in replies:
        if reply.to:
            found.setdefault(reply.to, []).append(reply)
    return tuple(
        _bundle(to, letter)
        for to, group in found.items()
        for letter in _letters(_in_the_end(group))
    )


def _in_the_end(group: Sequence[Reply]) -> Sequence[Reply]:
    """What there is to say, with the last word on how the reader stands to the list."""
    changed = [
        each for each in group if each.outcome in ("joined", "left") or each.text in _CHANGED
    ]
    standing = changed or [each for each in group if each.text in _UNCHANGED]
    about = (*_CHANGED, *_UNCHANGED)
    said = [
        each for each in group if each.text and (each.text not in about or each is standing[-1])
    ]
    ends = {option: each.text for each in said for option in _OPTIONS if each.text in option}
    return [
        each
        for each in said
        if all(each.text not in option or each.text == ends[option] for option in _OPTIONS)
    ]


def _letters(group: Sequence[Reply]) -> Iterable[Sequence[Reply]]:
    """One letter a token, which stands first and tells the letter where it is answered; what has
    none goes with the first."""
    tokens = list(dict.fromkeys(each.fields["token"] for each in group if "token" in each.fields))
    rest = [each for each in group if "token" not in each.fields]
    if not tokens:
        return [rest] if rest else []
    letters = [[each for each in group if each.fields.get("token") == token] for token in tokens]
    letters[0].extend(rest)
    return letters


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
