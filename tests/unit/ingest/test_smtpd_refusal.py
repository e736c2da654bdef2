"""What a client is told of a mail that a list rejects: no more than helps an honest author."""

from __future__ import annotations

import pytest

from postroad.mail.addresses import Form
from projections.lists import List
from schemas.lists import ListSettings
from schemas.mail import RawRef
from schemas.road import MailStopped, RuleHit
from services.ingest.smtpd.hearing import refusal

RAW = RawRef(mail_id="a", chunks=1, size=1, sha256="", head=0)
PLAIN = "not accepted by this list's rules"
ASK = "; ask team-owner@example.org"


def told(rule: str, reason: str, *, held: int = 0, **settings: object) -> str:
    """The words of a rejection by this rule, at a list with these settings."""
    hits = (RuleHit(rule=rule, reason=reason), RuleHit(rule="bans", reason="secret"))
    event = MailStopped(mail_id="a", list="t", verdict="rejected", hits=hits, raw=RAW, held=held)
    known = List(slug="t", address="team@example.org", settings=ListSettings(**settings))  # type: ignore[arg-type]
    return refusal(event, known)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("header-match", "its Subject has casino|lottery (header_matches, 2)"),
        ("suspicious-header", "its X-Spam has yes (header_checks, 1)"),
        ("nonmember-moderation", "its author is not a member; such posts are set to reject"),
        ("member-moderation", "posts of this member are set to reject"),
        ("banned-address", "its author is banned, by a pattern"),
        ("spam", "a spam filter gives it 7 points: RULE_A"),
        ("dmarc", "its author is named in dmarc_addresses"),
        ("content-filter", "nothing in it is of a kind that this list takes"),
        ("hooks", "ours: caught by the honeypot"),
        ("a-rule-to-come", "the owner's secret"),
    ],
)
def test_what_is_looked_for_is_told_to_nobody(rule: str, reason: str) -> None:
    """Whoever rejects it by whatever the owner keeps to themselves, the line is the same."""
    assert told(rule, reason) == PLAIN + ASK


def test_what_an_author_can_mend_is_told() -> None:
    """As in the letter: a limit of the list, or the owner's own notice, in a line of ASCII."""
    assert told("no-subject", "it has no subject") == f"{PLAIN}: it has no subject{ASK}"
    notice = "Schreib bitte\nmit anderer Adresse, größter Dank"
    line = told("dmarc", notice, dmarc_moderation_notice=notice)
    assert line == f"{PLAIN}: Schreib bitte mit anderer Adresse, gr??ter Dank{ASK}"
    assert len(told("no-subject", "x" * 5000)) < 450


def test_a_moderators_words_are_for_the_author_alone() -> None:
    """A client that brings a mail again that a moderator rejected has proved nothing."""
    assert told("moderator", "I know you, Eve", held=7) == PLAIN + ASK


@pytest.mark.parametrize(
    ("form", "owner"), [("plus", "; ask team+owner@example.org"), ("none", "")]
)
def test_the_owners_are_named_where_they_have_an_address(form: Form, owner: str) -> None:
    """In the list's form of addresses."""
    assert told("spam", "x", sub_address=form) == PLAIN + owner


def test_what_is_not_rejected_is_no_refusal() -> None:
    """Held and discarded mail is taken like any other."""
    known = List(slug="t", address="team@example.org")
    hits = (RuleHit(rule="no-subject", reason="it has none"),)
    for verdict in ("held", "discarded"):
        event = MailStopped(mail_id="a", list="t", verdict=verdict, hits=hits, raw=RAW)
        assert refusal(event, known) == ""
