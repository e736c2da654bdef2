"""Held mail that a moderator accepts: what the router makes of it."""

from __future__ import annotations

import pytest

from postroad.mail.addresses import Match
from schemas.road import AsOf, HeldAccepted, MailReceived, MailStopped, PostRouted
from services.router.copies import post_edits
from services.router.decider import decide
from tests.unit.router.mails import MEMBER, STRANGER, before, mail, the_list

POSTING = Match("team")
LATER = AsOf(membership=99, people=77)


def accepted(received: MailReceived) -> HeldAccepted:
    """The verdict on it, with the members of that moment."""
    return HeldAccepted(
        mail_id=received.mail_id, list="team", held=41, raw=received.raw, as_of=LATER
    )


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("From: a@example.org, b@example.org",),
        ("Auto-Submitted: auto-generated",),
        ("From: team@lists.example.org",),
        tuple(["Received: by a.example"] * 40),
    ],
)
def test_what_a_moderator_accepts_is_a_post(lines: tuple[str, ...]) -> None:
    """Whatever held it: it goes out to the members at the verdict, edited like any other post."""
    held = mail(*lines)
    assert decide(held, POSTING, the_list(), STRANGER)[0] == "held"
    kind, event = decide(held, POSTING, the_list(), STRANGER, accepted=accepted(held))
    assert kind == "post"
    assert isinstance(event, PostRouted)
    assert event.as_of == LATER
    assert event.rule == "moderator"
    assert event.edits == post_edits(before(held, STRANGER))


def test_no_moderator_lets_a_loop_go_round() -> None:
    """What bears the marks of this list would come back again and again: it is discarded."""
    held = mail("List-Id: <team.lists.example.org>")
    kind, event = decide(held, POSTING, the_list(), MEMBER, accepted=accepted(held))
    assert kind == "discarded"
    assert isinstance(event, MailStopped)
    assert event.hits[0].rule == "loop"


def test_an_accepted_mail_is_no_command() -> None:
    """Where Subjects may be commands by now, what was held as a post stays one."""
    held = mail("Subject: subscribe")
    known = the_list(sub_address="none")
    assert decide(held, POSTING, known, STRANGER, accepted=accepted(held))[0] == "post"
