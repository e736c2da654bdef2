"""A held mail: what a verdict makes of it, given what became of it before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from postroad.testing import Decider
from schemas.envelope import Envelope, Event
from schemas.mail import RawRef
from schemas.road import AsOf, HeldAccepted, MailStopped, PostRouted, RuleHit
from services.membership.moderation.decider import (
    BY_PEOPLE,
    BY_TIME,
    Verdict,
    decide,
    evolve,
    initial,
    told,
)
from services.membership.refused import Refused

MAIL = "019cb7a1c40070008e3d48265f1c0b7a"
RAW = RawRef(mail_id=MAIL, chunks=1, size=100, sha256="ab" * 32, head=50)
AT = datetime(2026, 3, 9, 8, 30, tzinfo=UTC)
HELD = MailStopped(
    mail_id=MAIL,
    list="team",
    verdict="held",
    hits=(RuleHit(rule="nonmember-moderation", reason="its author is not a member"),),
    raw=RAW,
    settings=3,
    subject="Tea",
)
ACCEPTED = HeldAccepted(
    mail_id=MAIL, list="team", held=41, raw=RAW, as_of=AsOf(membership=7, people=5), settings=9
)
NOW: dict[str, Any] = {"cause": "c2", "as_of": AsOf(membership=7, people=5), "settings": 9}


def stored(seq: int, event: Event, actor: str = "person:anna", cause: str = "c1") -> Any:
    """One message of the stream."""
    message = Envelope(
        id=f"{seq:032x}", ts=AT, correlation=MAIL, causation=cause, actor=actor, events=(event,)
    )
    return seq, message


held_mail = Decider(initial=initial, evolve=lambda state, message: evolve(state, *message))
THE_HOLD = stored(41, HELD, "service:router")


def ended(verdict: Any, rule: str, reason: str = "") -> MailStopped:
    """The event that ends the waiting of HELD."""
    hit = RuleHit(rule=rule, reason=reason)
    return replace(HELD, verdict=verdict, hits=(hit, *HELD.hits), settings=9, held=41)


def test_accepted_mail_names_what_held_it_and_who_is_a_member_now() -> None:
    """An accept holds the held event's sequence, the members of now, and today's settings."""
    held_mail.given(THE_HOLD).when(decide, Verdict(word="accept"), **NOW).then(ACCEPTED)


def test_its_sender_may_be_accepted_always() -> None:
    """That wish travels with the verdict, so that it is not lost."""
    wanted = Verdict(word="accept", always=True)
    held_mail.given(THE_HOLD).when(decide, wanted, **NOW).then(replace(ACCEPTED, always=True))


def test_a_rejection_keeps_the_reason() -> None:
    """What the moderator wrote is the reason, under the rule `moderator`."""
    wanted = Verdict(word="reject", reason="no files, please")
    expected = ended("rejected", BY_PEOPLE, "no files, please")
    held_mail.given(THE_HOLD).when(decide, wanted, **NOW).then(expected)


def test_expired_mail_is_discarded_by_time() -> None:
    """Nobody decided: the rule says so."""
    wanted = Verdict(word="discard", reason="waited 30 days", expired=True)
    expected = ended("discarded", BY_TIME, "waited 30 days")
    held_mail.given(THE_HOLD).when(decide, wanted, **NOW).then(expected)


@pytest.mark.parametrize("first", [ACCEPTED, ended("rejected", BY_PEOPLE), ended("discarded", "")])
@pytest.mark.parametrize("word", ["accept", "reject", "discard"])
def test_a_mail_is_decided_once(first: Event, word: Any) -> None:
    """The second moderator is refused, whatever both say."""
    given = held_mail.given(THE_HOLD, stored(50, first))
    given.when(decide, Verdict(word=word), **NOW).then_refused(Refused, "by a moderator by mail")


def test_the_same_mail_again_decides_nothing_more() -> None:
    """A reply that is handled twice, because somebody died, gave its verdict the first time."""
    given = held_mail.given(THE_HOLD, stored(50, ACCEPTED, cause="c2"))
    given.when(decide, Verdict(word="accept"), **NOW).then_nothing()


def test_only_held_mail_is_decided() -> None:
    """A post, and what the router discarded by itself, are no moderator's business."""
    post = PostRouted(mail_id=MAIL, list="team", raw=RAW)
    alone = replace(HELD, verdict="discarded")
    for events in ((), (stored(3, post),), (stored(3, alone),)):
        given = held_mail.given(*events)
        given.when(decide, Verdict(word="accept"), **NOW).then_refused(Refused, "not held")


def test_what_the_router_made_of_it_is_no_other_verdict() -> None:
    """The post behind an accept, or a discard because it was a duplicate, changes no verdict."""
    after = (PostRouted(mail_id=MAIL, list="team", raw=RAW), replace(HELD, verdict="discarded"))
    for event in after:
        state = held_mail.given(THE_HOLD, stored(50, ACCEPTED), stored(51, event)).state
        assert state.decided is not None
        assert state.decided.ended == "accepted"


def test_a_verdict_is_told_with_who_and_when() -> None:
    """Who decided, what, and when, in words."""
    by_mail = held_mail.given(THE_HOLD, stored(50, ACCEPTED)).state.decided
    by_hand = held_mail.given(
        THE_HOLD, stored(50, ended("rejected", BY_PEOPLE), "operator:anna")
    ).state.decided
    by_time = held_mail.given(THE_HOLD, stored(50, ended("discarded", BY_TIME))).state.decided
    assert by_mail is not None
    assert by_hand is not None
    assert by_time is not None
    assert told(by_mail) == "was accepted by a moderator by mail on 2026-03-09 at 08:30 UTC"
    assert told(by_mail, "eve@example.org").startswith("was accepted by eve@example.org on")
    assert told(by_hand).startswith("was rejected by anna at the command line")
    assert told(by_time) == "expired on 2026-03-09 at 08:30 UTC"
