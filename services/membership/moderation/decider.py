"""One held mail on one list, and the verdict on it. Pure.

The aggregate of `mail.routed.*.<list>.<mail_id>`, as far as it is about holding: the event that
held it, and the one that ended that. What the router decided by itself is nobody's to change.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from schemas import subjects
from schemas.envelope import Envelope
from schemas.road import AsOf, HeldAccepted, MailStopped, RuleHit
from services.membership.refused import Refused

Word = Literal["accept", "reject", "discard"]
Stop = Literal["rejected", "discarded"]
Ended = Literal["accepted", Stop]
BY_PEOPLE, BY_TIME = "moderator", "expired"  # rules of a MailStopped that ends the waiting


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says of a held mail. `reason` is for its author; with `always` mail of its
    author is to be accepted from now on."""

    word: Word
    reason: str = ""
    always: bool = False
    expired: bool = False


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict that was given: by whom, when, because of what."""

    ended: Ended
    actor: str
    at: datetime
    cause: str = ""
    reason: str = ""
    always: bool = False
    expired: bool = False


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A mail on a list. `held` and its sequence `seq` and time, where it was held; `decided` once
    somebody has said what becomes of it."""

    held: MailStopped | None = None
    seq: int = 0
    at: datetime | None = None
    decided: Decided | None = None

    @property
    def waits(self) -> bool:
        """Whether it can be decided on."""
        return self.held is not None and self.decided is None


initial = State()


def evolve(state: State, seq: int, message: Envelope) -> State:
    """The state after one message of it."""
    for event in message.events:
        match event:
            case MailStopped(verdict="held"):
                state = State(held=event, seq=seq, at=message.ts)
            case MailStopped() if state.held is not None and event.held:
                hit = event.hits[0] if event.hits else RuleHit(rule="", reason="")
                ended: Stop = "rejected" if event.verdict == "rejected" else "discarded"
                state = _ended(state, message, ended, hit)
            case HeldAccepted():
                state = _ended(state, message, "accepted", always=event.always)
            case _:
                pass
    return state


def fold(messages: Iterable[tuple[int, Envelope]]) -> State:
    """What all messages on this mail and list say, with their sequences."""
    state = initial
    for seq, message in messages:
        state = evolve(state, seq, message)
    return state


def decide(
    state: State, verdict: Verdict, *, cause: str, as_of: AsOf, settings: int
) -> tuple[HeldAccepted | MailStopped, ...]:
    """The event that the verdict is; none where the same cause gave it before.
    `settings` is the version of the list's settings, `as_of` who is on it now. Raises Refused for
    mail that was not held, or is decided."""
    held = state.held
    if held is None:
        raise Refused("not_held", "this mail was not held on this list")
    if state.decided is not None:
        if cause and state.decided.cause == cause:
            return ()
        raise Refused("decided", f"this mail {told(state.decided)} already")
    if verdict.word == "accept":
        accepted = HeldAccepted(
            mail_id=held.mail_id,
            list=held.list,
            held=state.seq,
            raw=held.raw,
            as_of=as_of,
            settings=settings,
            always=verdict.always,
        )
        return (accepted,)
    ended: Stop = "rejected" if verdict.word == "reject" else "discarded"
    hit = RuleHit(rule=BY_TIME if verdict.expired else BY_PEOPLE, reason=verdict.reason)
    return (
        replace(held, verdict=ended, hits=(hit, *held.hits), settings=settings, held=state.seq),
    )


def kind_of(event: HeldAccepted | MailStopped) -> subjects.Kind:
    """The kind of the subject that this verdict is stored under."""
    return event.verdict if isinstance(event, MailStopped) else "accepted"


def told(decided: Decided, who: str = "") -> str:
    """The verdict in words, as they follow "the mail"."""
    what = f"was {decided.ended}"
    if decided.expired:
        return f"expired on {decided.at:%Y-%m-%d at %H:%M} UTC"
    always = ", with its sender from then on," if decided.always else ""
    return f"{what}{always} by {who or actor(decided.actor)} on {decided.at:%Y-%m-%d at %H:%M} UTC"


def actor(name: str) -> str:
    """Who an envelope's actor is, in words; a person without their address."""
    kind, _, rest = name.partition(":")
    match kind:
        case "operator":
            return f"{rest} at the command line" if rest else "the command line"
        case "person":
            return "a moderator by mail"
        case _:
            return "Postroad"


def _ended(
    state: State,
    message: Envelope,
    ended: Ended,
    hit: RuleHit | None = None,
    *,
    always: bool = False,
) -> State:
    return replace(
        state,
        decided=Decided(
            ended=ended,
            actor=message.actor,
            at=message.ts,
            cause=message.causation,
            reason=hit.reason if hit else "",
            always=always,
            expired=hit is not None and hit.rule == BY_TIME,
        ),
    )
