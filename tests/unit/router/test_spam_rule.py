"""The rule spam: filters, thresholds, and what the list does."""

from __future__ import annotations

from typing import Any

import pytest

from postroad.mail.spamscore import Score
from services.router.context import Looked, Spam
from services.router.rules.spam import check
from tests.unit.router.mails import before, mail, the_list

SEVEN = Score(True, 7.0, ("PILLS", "CHEAP"))


def verdict(*scores: Score, unchecked: bool = False, **settings: Any) -> str:
    """What becomes of a mail with these scores; empty where the rule misses."""
    looked = Looked(spam=Spam(scores=scores, unchecked=unchecked))
    hit = check(before(mail(), known=the_list(**settings), looked=looked))
    return (hit.verdict or "flag") if hit else ""


@pytest.mark.parametrize(
    ("scores", "settings", "becomes"),
    [
        ((), {}, ""),
        ((Score(False, 4.9),), {}, ""),
        ((SEVEN,), {}, "hold"),
        ((Score(True),), {}, "hold"),
        ((Score(False), Score(True)), {}, "hold"),
        ((SEVEN,), {"spam_action": "discard"}, "discard"),
        ((SEVEN,), {"spam_action": "reject"}, "reject"),
        ((SEVEN,), {"spam_action": "defer", "spam_discard_threshold": 1.0}, ""),
        ((SEVEN,), {"spam_threshold": 8.0}, ""),
        ((Score(False, 3.0),), {"spam_threshold": 3.0}, "hold"),
        ((Score(True),), {"spam_threshold": 8.0}, "hold"),
        ((SEVEN,), {"spam_discard_threshold": 7.0}, "discard"),
        ((SEVEN,), {"spam_discard_threshold": 7.1}, "hold"),
        ((Score(True), SEVEN), {"spam_discard_threshold": 7.0}, "discard"),
    ],
)
def test_filters_and_thresholds(
    scores: tuple[Score, ...], settings: dict[str, Any], becomes: str
) -> None:
    """One filter that says spam is enough; a list's own limit stands before the filter's."""
    assert verdict(*scores, **settings) == becomes


def test_a_filter_that_is_away_stops_no_mail_unless_the_list_says_so() -> None:
    """It fails open by default; then a mail is held, never rejected for nothing."""
    assert verdict(unchecked=True) == ""
    assert verdict(unchecked=True, spam_hold_unchecked=True, spam_action="discard") == "hold"
    assert verdict(SEVEN, unchecked=True) == "hold"
    assert check(before(mail())) is None


def test_moderators_read_why() -> None:
    """Points, and what the filter found."""
    looked = Looked(spam=Spam(scores=(SEVEN,)))
    hit = check(before(mail(), looked=looked))
    assert hit is not None
    assert hit.reason == "a spam filter gives it 7 points: PILLS, CHEAP"
