"""What was decided on a mail at a list, by the events about it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import pytest

from postroad.cli.hindsight.decided import NOT_REACHED, Decided, fold
from schemas.envelope import Envelope, Event
from schemas.mail import RawRef
from schemas.road import (
    AsOf,
    FanoutDone,
    HeldAccepted,
    MailStopped,
    MailUnrouted,
    PostRouted,
    RuleHit,
)

RAW = RawRef(mail_id="m", chunks=1, size=9, sha256="0" * 64, head=5)
POST = PostRouted(mail_id="m", list="team", raw=RAW, rule="truth", as_of=AsOf(membership=4))
DONE = FanoutDone(mail_id="m", list="team", audience=7, chunks=1)
ACCEPTED = HeldAccepted(mail_id="m", list="team", held=1, raw=RAW, as_of=AsOf(membership=6))


Stop = Literal["held", "rejected", "discarded"]


def stopped(verdict: Stop = "held", rule: str = "emergency", held: int = 0) -> MailStopped:
    """A mail that was stopped, or, with `held`, whose waiting ended."""
    hits = (RuleHit(rule=rule, reason="because"),)
    return MailStopped(
        mail_id="m", list="team", verdict=verdict, hits=hits, raw=RAW, held=held, author="p"
    )


def told(*events: Event) -> Decided:
    """What these say, each in a message of its own."""
    at = datetime(2026, 10, 1, tzinfo=UTC)
    return fold(
        (seq, Envelope(id=str(seq), ts=at, correlation="m", events=(event,)))
        for seq, event in enumerate(events, 1)
    )


def test_a_mail_of_which_nothing_is_told_did_not_reach_the_list() -> None:
    """No event is an outcome of its own, behind which sequence 0 stands."""
    assert (told().kind, told().last, told().author) == (NOT_REACHED, 0, None)


def test_a_post_has_its_audience_and_moment() -> None:
    """Copies and the sequence they were counted at come from the events, not from today."""
    found = told(POST, DONE)
    assert (found.kind, found.audience, found.as_of, found.last) == ("post", 7, 4, 1)


@pytest.mark.parametrize(
    ("events", "kind", "by_person", "expired"),
    [
        ((stopped(),), "held", False, False),
        ((stopped(), stopped("rejected", "moderator", 1)), "rejected", True, False),
        ((stopped(), stopped("discarded", "expired", 1)), "discarded", False, True),
        ((stopped(), ACCEPTED), "post", True, False),
        ((stopped(), ACCEPTED, POST, DONE), "post", True, False),
        ((stopped(), ACCEPTED, stopped("discarded", "duplicate")), "discarded", False, False),
        ((MailUnrouted(mail_id="m", raw=RAW, reason="for nobody"),), "unrouted", False, False),
    ],
)
def test_the_last_word_counts_and_whose_it_was(
    events: tuple[Event, ...], kind: str, by_person: bool, expired: bool
) -> None:
    """A held mail is what became of it; what nobody decided in time is nobody's verdict."""
    found = told(*events)
    assert (found.kind, found.by_person, found.expired) == (kind, by_person, expired)


def test_why_rules_stopped_it_stays_known_behind_a_verdict() -> None:
    """A verdict hides neither the rule that asked for it nor whom the author was taken for."""
    found = told(stopped(), stopped("rejected", "moderator", 1))
    assert found.stopped is not None
    assert (found.stopped.hits[0].rule, found.author) == ("emergency", "p")
