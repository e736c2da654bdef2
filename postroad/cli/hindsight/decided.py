"""What was decided on a mail at a list, from the events about it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from schemas.envelope import Envelope, Event
from schemas.road import (
    BounceRouted,
    CommandRouted,
    FanoutDone,
    HeldAccepted,
    MailStopped,
    MailUnrouted,
    OwnerMailRouted,
    PostRouted,
)

NOT_REACHED = "not reached"
STOPS = ("held", "rejected", "discarded")


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a mail at a list. `kind` is post, owner, command, bounce, held, rejected,
    discarded or unrouted, or `NOT_REACHED`; `rule` and `reason` are of what decided. With
    `by_person` a moderator had the last word, with `expired` nobody did in time. `last` is the
    sequence of the last decision, 0 for none; `audience` is None where it is not known."""

    kind: str = NOT_REACHED
    rule: str = ""
    reason: str = ""
    by_person: bool = False
    expired: bool = False
    last: int = 0
    post: PostRouted | None = None
    stopped: MailStopped | None = None  # by rules
    accepted: HeldAccepted | None = None
    audience: int | None = None

    @property
    def author(self) -> str | None:
        """Whom membership took the author for, by id; None where it was not asked."""
        said = self.post or self.stopped
        return said.author if said else None

    @property
    def as_of(self) -> int:
        """The sequence of MEMBERSHIP at which its audience was fixed, 0 where none was."""
        said = self.accepted or self.post
        return said.as_of.membership if said else 0


NOTHING = Decided()


def fold(messages: Iterable[tuple[int, Envelope]]) -> Decided:
    """What all messages on a mail and list say, with their sequences, in order."""
    decided = NOTHING
    for seq, message in messages:
        for event in message.events:
            decided = _evolve(decided, seq, event)
    return decided


def of_event(kind: str, event: Event) -> Decided:
    """A single decision, which is stored nowhere."""
    return _evolve(NOTHING, 0, event) if kind else NOTHING


def _evolve(decided: Decided, seq: int, event: Event) -> Decided:
    now = msgspec.structs.replace
    match event:
        case MailStopped():
            hit = event.hits[0] if event.hits else None
            rule, reason = (hit.rule, hit.reason) if hit else ("", "")
            decided = now(decided, kind=event.verdict, last=seq, rule=rule, reason=reason)
            if not event.held:
                return now(decided, stopped=event, by_person=False, expired=False)
            expired = rule == "expired"
            return now(decided, by_person=not expired, expired=expired)
        case HeldAccepted():
            told = now(decided, kind="post", last=seq, accepted=event, by_person=True)
            return now(told, rule="moderator", reason="")
        case PostRouted():
            return now(decided, kind="post", last=seq, post=event, rule=event.rule, reason="")
        case FanoutDone():
            return now(decided, audience=event.audience)
        case OwnerMailRouted():
            return now(decided, kind="owner", last=seq)
        case CommandRouted():
            return now(decided, kind="command", last=seq, rule="", reason=event.command)
        case BounceRouted():
            return now(decided, kind="bounce", last=seq)
        case MailUnrouted():
            return now(decided, kind="unrouted", last=seq, reason=event.reason)
        case _:  # what came of it
            return decided
