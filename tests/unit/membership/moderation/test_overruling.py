"""What rules stopped can be let through once; what somebody decided stays."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.envelope import Envelope, Event
from schemas.mail import RawRef
from schemas.road import AsOf, HeldAccepted, MailStopped, PostRouted, RuleHit
from services.membership.moderation.overruling import decide
from services.membership.refused import Refused

RAW = RawRef(mail_id="m", chunks=1, size=9, sha256="0" * 64, head=5)
HIT = RuleHit(rule="emergency", reason="because")
HELD = MailStopped(mail_id="m", list="team", verdict="held", hits=(HIT,), raw=RAW)
ACCEPTED = HeldAccepted(mail_id="m", list="team", held=1, raw=RAW)
POST = PostRouted(mail_id="m", list="team", raw=RAW)
BY_MODERATOR = MailStopped(
    mail_id="m", list="team", verdict="rejected", hits=(HIT,), raw=RAW, held=1
)
BY_RULE = MailStopped(mail_id="m", list="team", verdict="rejected", hits=(HIT,), raw=RAW)
SECRET = MailStopped(mail_id="m", list="team", verdict="held", hits=(HIT,), raw=RAW, password=True)


EXPIRED = MailStopped(
    mail_id="m",
    list="team",
    verdict="discarded",
    hits=(RuleHit(rule="expired", reason=""), HIT),
    raw=RAW,
    held=1,
)


def overruled(*events: Event, expect: int | None = None) -> HeldAccepted:
    """What lets a mail through on which these were decided, one after the other."""
    at = datetime(2026, 10, 1, tzinfo=UTC)
    messages = [
        (seq, Envelope(id=str(seq), ts=at, correlation="m", events=(event,)))
        for seq, event in enumerate(events, 1)
    ]
    return decide(
        messages,
        list_="team",
        mail_id="m",
        raw=RAW,
        expect=len(events) if expect is None else expect,
        as_of=AsOf(membership=7),
        settings=3,
    )


@pytest.mark.parametrize(
    ("events", "held"), [((), 0), ((HELD,), 1), ((BY_RULE,), 1), ((HELD, EXPIRED), 2)]
)
def test_what_no_person_decided_is_let_through(events: tuple[Event, ...], held: int) -> None:
    """It names what it stands behind, and goes to those who were members then."""
    event = overruled(*events)
    assert (event.held, event.as_of.membership, event.settings) == (held, 7, 3)


@pytest.mark.parametrize(
    "events",
    [
        (HELD, BY_MODERATOR),
        (HELD, ACCEPTED),
        (HELD, ACCEPTED, POST),
        (POST,),
        (HELD, ACCEPTED, BY_RULE),
        (SECRET,),
    ],
)
def test_what_is_decided_or_was_let_through_before_is_left_alone(events: tuple[Event, ...]) -> None:
    """A person's word, a post, a mail that was let through and stopped again, and a password."""
    with pytest.raises(Refused):
        overruled(*events)


def test_what_was_decided_meanwhile_is_left_alone() -> None:
    """Two replays, and a moderator between them, let it through once."""
    with pytest.raises(Refused, match="meanwhile"):
        overruled(HELD, expect=0)
    with pytest.raises(Refused, match="meanwhile"):
        overruled(expect=4)
