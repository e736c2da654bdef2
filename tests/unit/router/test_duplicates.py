"""By what a mail is told from another, and what is said of one that the list had already."""

from __future__ import annotations

import msgspec

from schemas.road import RuleHit
from services.router import decider
from tests.unit.router.mails import MEMBER, mail, the_list


def digest(*lines: str, body: str = "ab" * 32) -> str:
    """What a mail with these lines is told as."""
    return decider.digest(msgspec.structs.replace(mail(*lines), body_sha256=body))


def test_a_post_is_told_by_its_id_author_and_body() -> None:
    """Another way to us does not change what a mail is; another author or body does, under the
    same Message-ID too."""
    first = digest("Message-ID: <1@x>")
    assert first == digest("Message-ID: <1@x>", "Received: by b", "Delivered-To: b@example.org")
    others = [
        digest("Message-ID: <2@x>"),
        digest("Message-ID: <1@x>", "From: eve@example.net"),
        digest("Message-ID: <1@x>", body="cd" * 32),
    ]
    assert len({first, *others}) == 4


def test_a_post_without_id_is_told_by_date_and_subject_too() -> None:
    """`+1` of today is not that of yesterday."""
    first = digest("Date: Mon, 5 Jan 2026 10:00:00 +0000")
    assert first == digest("Date: Mon, 5 Jan 2026 10:00:00 +0000", "Received: by b")
    assert first != digest("Date: Tue, 6 Jan 2026 10:00:00 +0000")
    assert first != digest("Date: Mon, 5 Jan 2026 10:00:00 +0000", "Subject: Coffee")


def test_a_mail_from_an_older_release_is_no_duplicate() -> None:
    """Where nobody took the digest of the body, nothing is claimed."""
    assert digest(body="") == ""


def test_a_duplicate_says_which_mail_was_first() -> None:
    """It is recorded, never silent, and whoever looks finds the post."""
    kind, event = decider.decide_duplicate(mail(), the_list(), MEMBER, "m1")
    assert kind == "discarded"
    assert event.hits == (
        RuleHit(
            rule="duplicate", reason="the list has had this mail already: the first copy is m1"
        ),
    )
