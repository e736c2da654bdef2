"""A mail that rules stopped, or that did not reach a list, is let through after all. Pure.

The same event as a moderator's: `HeldAccepted`, behind what was decided last. So each mail is let
through once, whoever says so, and what a person has decided stays. What expired nobody decided.
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.envelope import Envelope
from schemas.mail import RawRef
from schemas.road import AsOf, HeldAccepted, MailStopped
from services.membership.moderation.decider import BY_TIME
from services.membership.refused import Refused


def decide(
    messages: Iterable[tuple[int, Envelope]],
    *,
    list_: str,
    mail_id: str,
    raw: RawRef,
    expect: int,
    as_of: AsOf,
    settings: int,
) -> HeldAccepted:
    """What lets the mail through on this list, for those who were members `as_of` then. `messages`
    are all decisions on it there, with their sequences; `expect` is the last that is known. Raises
    Refused where something else stands there by now, or a person has decided."""
    told = [(seq, event) for seq, message in messages for event in message.events]
    last, event = told[-1] if told else (0, None)
    if any(isinstance(each, HeldAccepted) for _, each in told):
        raise Refused("decided", "it was let through before")
    if last != expect:
        raise Refused("decided", "it was decided on meanwhile")
    if last and (not isinstance(event, MailStopped) or _by_person(event)):
        raise Refused("decided", "somebody has decided on it")
    if isinstance(event, MailStopped) and event.password:
        raise Refused("password", "it tells a moderator's password")
    return HeldAccepted(
        mail_id=mail_id,
        list=list_,
        held=last,
        raw=event.raw if isinstance(event, MailStopped) else raw,
        as_of=as_of,
        settings=settings,
    )


def _by_person(event: MailStopped) -> bool:
    """Whether it ends the waiting of a held mail, and not because nobody decided."""
    return bool(event.held) and not any(hit.rule == BY_TIME for hit in event.hits[:1])
