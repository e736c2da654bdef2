"""The rule dmarc: when From becomes the list's, when a mail is stopped, when nothing is done."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest

from postroad.mail import senders
from postroad.mail.addresses import Match
from postroad.mail.edits import apply
from schemas.road import PostRouted
from services.router.content.job import Left
from services.router.context import Dmarc, Hit, Looked
from services.router.decider import decide
from services.router.rules.dmarc import check
from tests.unit.router.mails import MEMBER, before, mail, the_list

ANN = "Ann <ann@bank.example>"
HEAD = (
    b"DKIM-Signature: v=1; d=bank.example; h=from:to:subject\r\n"
    b"From: Ann <ann@bank.example>\r\nTo: team@lists.example.org\r\nSubject: Tea\r\n\r\n"
)
REJECT, UNKNOWN = Dmarc(policy="reject"), Dmarc(policy="unknown")
SIGNED = Dmarc(policy="reject", signers=frozenset({"bank.example"}), head=HEAD)
STILL: dict[str, Any] = {"subject_prefix": ""}  # a list that changes nothing that is signed


def hit(found: Dmarc | None, *, filtered: Left | None = None, **settings: Any) -> bool:
    """Whether the rule hits a mail of Ann's, without a verdict."""
    looked = Looked(dmarc=found, filtered=filtered)
    made = check(before(mail(f"From: {ANN}"), known=the_list(**settings), looked=looked))
    assert made is None or made.verdict is None
    return made is not None


@pytest.mark.parametrize(
    ("found", "hits"),
    [
        (None, False),
        (Dmarc(policy="none"), False),
        (UNKNOWN, False),
        (Dmarc(policy="quarantine"), True),
        (REJECT, True),
    ],
)
def test_the_policy_decides(found: Dmarc | None, hits: bool) -> None:
    """Where receivers are asked to refuse; that nobody knows is a reason only if a list says so."""
    assert hit(found) is hits
    assert not hit(found, dmarc_mitigate_action="no_mitigation")
    assert not hit(found, anonymous_list=True)
    assert hit(found, dmarc_mitigate_unknown=True) is (hits or found is UNKNOWN)


def test_what_a_hook_rewrote_is_changed_mail() -> None:
    """Its author's signature is that of the text that came."""
    came = mail(f"From: {ANN}")
    ref = msgspec.structs.replace(came.raw, part=1)
    rewritten = msgspec.structs.replace(came, raw=ref)
    for post, hits in ((came, False), (rewritten, True)):
        context = before(post, known=the_list(**STILL), looked=Looked(dmarc=SIGNED))
        assert bool(check(context)) is hits


def test_a_signature_that_holds_on_the_copies_is_proof_enough() -> None:
    """Nothing is done then. It breaks by a prefix, lines around the text, and parts taken off."""
    assert not hit(SIGNED, **STILL)
    assert hit(SIGNED)
    assert hit(SIGNED, **STILL, reply_goes_to_list="point_to_list") is False
    assert hit(SIGNED, **STILL, footer="Our list")
    assert hit(SIGNED, **STILL, header="Our list")
    assert hit(SIGNED, **STILL, filtered=Left(pieces=(b"x",)))
    assert not hit(SIGNED, **STILL, filtered=Left())


def test_answers_to_the_list_break_a_signature_over_reply_to() -> None:
    """Even where there was none: it says so."""
    over = HEAD.replace(b"h=from", b"h=reply-to:from")
    found = Dmarc(policy="reject", signers=SIGNED.signers, head=over)
    assert not hit(found, **STILL)
    assert hit(found, **STILL, reply_goes_to_list="point_to_list")


def test_a_list_may_do_it_always() -> None:
    """With every mail, or with those of some people; a verdict is never given for nothing."""
    always: dict[str, Any] = {"dmarc_mitigate_unconditionally": True}
    assert hit(None, **always)
    assert hit(SIGNED, **always, **STILL)
    assert not hit(None, **always, dmarc_mitigate_action="reject")
    assert hit(None, dmarc_addresses=("@bank.example",))
    assert hit(None, dmarc_addresses=(r"^ann@.*",))
    assert not hit(None, dmarc_addresses=("@other.example", senders.of_key("0f" * 32)))


def test_a_mail_may_be_wrapped_instead() -> None:
    """In the same cases; it is no verdict either."""
    wrap: dict[str, Any] = {"dmarc_mitigate_action": "wrap_message"}
    assert hit(REJECT, **wrap)
    assert not hit(SIGNED, **STILL, **wrap)
    assert hit(None, dmarc_mitigate_unconditionally=True, **wrap)


@pytest.mark.parametrize("action", ["reject", "discard"])
def test_a_list_may_stop_such_mail(action: Literal["reject", "discard"]) -> None:
    """With a reason, or in the words of its owner; never because nobody knows."""
    known = the_list(dmarc_mitigate_action=action, dmarc_mitigate_unknown=True)
    made = check(before(mail(f"From: {ANN}"), known=known, looked=Looked(dmarc=REJECT)))
    assert made is not None
    assert (made.verdict, "p=reject" in made.reason) == (action, True)
    assert check(before(mail(), known=known, looked=Looked(dmarc=UNKNOWN))) is None
    known = the_list(dmarc_mitigate_action=action, dmarc_moderation_notice="Use another address.")
    made = check(before(mail(), known=known, looked=Looked(dmarc=REJECT)))
    assert made == Hit("Use another address.", action)


def test_a_post_has_the_lists_address_in_from() -> None:
    """Ann stays within reach, and the post says why."""
    kind, event = decide(
        mail(f"From: {ANN}"), Match("team"), the_list(), MEMBER, looked=Looked(dmarc=REJECT)
    )
    assert isinstance(event, PostRouted)
    copy = apply(b"From: Ann <ann@bank.example>\r\nSubject: Tea\r\n\r\n", event.edits).decode()
    assert "From: Ann via Team <team@lists.example.org>\r\n" in copy
    assert "Reply-To: Ann <ann@bank.example>\r\n" in copy
    assert [(each.rule, "p=reject" in each.reason) for each in event.hits] == [("dmarc", True)]
    assert kind == "post"
