"""What becomes of a mail that the content filter empties, or cannot take apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from postroad.mail.addresses import Match
from schemas.lists import FilterAction
from schemas.road import HeldAccepted, MailStopped, PostRouted
from services.router import decider
from services.router.content.job import Left
from services.router.context import Looked
from services.router.rules import content_filter
from tests.unit.router.mails import AS_OF, MAIL_ID, MEMBER, RAW, before, mail, the_list


@pytest.mark.parametrize("left", [None, Left(), Left(pieces=((0, 9),), head=4)])
def test_a_mail_of_which_something_is_left_is_no_hit(left: Left | None) -> None:
    """Nor one of a list without filter."""
    context = replace(before(mail()), looked=Looked(filtered=left))
    assert content_filter.check(context) is None


@pytest.mark.parametrize("action", ["hold", "reject", "discard"])
def test_of_an_empty_mail_becomes_what_the_list_says(action: FilterAction) -> None:
    """`filter_action`, with a reason."""
    context = replace(
        before(mail(), known=the_list(filter_action=action)),
        looked=Looked(filtered=Left(empty="x")),
    )
    hit = content_filter.check(context)
    assert hit
    assert (hit.verdict, hit.reason) == (action, "x")


def test_what_could_not_be_taken_apart_is_held_and_may_be_let_through() -> None:
    """Whatever `filter_action` is; a moderator who accepts it lets it out as it is."""
    known = the_list(filter_action="discard")
    looked = Looked(filtered=Left(held="it cannot be taken apart"))
    kind, event = decider.decide(mail(), Match("team"), known, MEMBER, looked=looked)
    assert kind == "held"
    assert isinstance(event, MailStopped)
    (hit,) = event.hits
    assert hit.rule == "content-filter"
    assert hit.reason == "it cannot be taken apart"
    accepted = HeldAccepted(mail_id=MAIL_ID, list="team", raw=RAW, held=7, as_of=AS_OF, settings=9)
    kind, event = decider.decide(
        mail(), Match("team"), known, MEMBER, looked=looked, accepted=accepted
    )
    assert kind == "post"
    assert isinstance(event, PostRouted)
    assert event.raw == RAW
