"""Whether an author's signature holds on the copies: as a verifier would find."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postroad.mail import wire
from postroad.mail.canonical import BodyHash
from postroad.mail.dkim import Message, Signature
from postroad.mail.edits import apply, edit
from postroad.mail.survival import survives
from schemas.mail import HeaderEdit
from tests.peers.signingkeys import ed25519_key
from tests.peers.verifiers import Verify, dkimpy

KEY = ed25519_key()
HERE = frozenset((KEY.domain,))
BODY = b"Hello\r\n"
FIELDS = (
    b"From: Ann <ann@lists.example>\r\nTo: team@example.org\r\nSubject: Tea\r\n"
    b"Date: Sat, 21 Nov 2026 06:00:00 +0000\r\nMessage-ID: <1@lists.example>\r\n"
)
LIST_ID = edit("add", "List-Id", "<team.example.org>")
PREFIX = edit("prefix", "Subject", "[Team]")


def block(h: str, d: str = "bank.example", more: bytes = b"") -> bytes:
    """A header block with a signature over these fields."""
    tags = f"v=1; a=rsa-sha256; d={d}; s=s; h={h}; bh=x; b=y"
    return f"DKIM-Signature: {tags}\r\n".encode() + more + FIELDS + b"\r\n"


@pytest.mark.parametrize(
    ("h", "edits", "holds"),
    [
        ("from:to:date", [PREFIX, LIST_ID], True),
        ("from:to:subject", [LIST_ID], True),
        ("from:to:subject", [PREFIX], False),
        ("FROM : Subject", [PREFIX], False),
        ("from:list-id", [LIST_ID], False),
        ("from:reply-to", [edit("set", "Reply-To", "team@example.org")], False),
        ("from", [edit("set", "Reply-To", "team@example.org")], True),
        ("from:sender", [edit("remove", "Sender")], True),
        ("from", [edit("remove", "*", "From To")], False),
        ("from:from", [edit("set", "From", "Ann via Team <team@example.org>")], False),
        ("subject", [], False),
        ("", [], False),
    ],
)
def test_what_breaks_a_signature(h: str, edits: list[HeaderEdit], holds: bool) -> None:
    """A field that it is over must stay, and one that it says is not there must not come."""
    assert survives(block(h), edits, {"bank.example"}) is holds


def test_only_signatures_of_these_domains_count() -> None:
    """The one of the provider that it came through proves nothing of the author."""
    assert not survives(block("from"), [], {"other.example"})
    assert not survives(block("from"), [], set())
    assert survives(block("from", d="BANK.example"), [], {"bank.example"})


def test_of_several_signatures_of_a_domain_all_must_hold() -> None:
    """Which of them was found good nobody says."""
    other = b"DKIM-Signature: v=1; d=bank.example; h=from:subject\r\n"
    assert not survives(block("from", more=other), [PREFIX], {"bank.example"})
    foreign = other.replace(b"bank", b"relay")
    assert survives(block("from", more=foreign), [PREFIX], {"bank.example"})


@given(st.binary(max_size=200), st.sampled_from([(), (PREFIX, LIST_ID)]))
def test_any_header_can_be_asked(octets: bytes, edits: tuple[HeaderEdit, ...]) -> None:
    """Whatever an author, or somebody who is none, writes."""
    survives(octets, edits, {"bank.example"})
    survives(b"DKIM-Signature: " + octets + b"\r\n" + FIELDS, edits, {"bank.example"})


@pytest.fixture(scope="module")
def verify() -> Iterator[Verify]:
    """A verifier that is not ours."""
    with dkimpy() as verifying:
        yield verifying


names = st.sampled_from(
    ["From", "To", "Subject", "Reply-To", "Sender", "List-Id", "X-Mailer", "DKIM-Signature", "Date"]
)
ops = st.sampled_from(["add", "remove", "set"])
changes = st.builds(edit, ops, names, st.just("x@example.org"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(changes | st.just(PREFIX), max_size=3))
def test_what_is_said_to_hold_does(verify: Verify, edits: list[HeaderEdit]) -> None:
    """Another verifier finds it good on the copy."""
    message = Message(FIELDS, left_out=("subject", "reply-to"))
    digest = BodyHash()
    digest.update(BODY)
    signed = Signature.of(KEY, message, (), int(time.time())).over(digest.digest()).field()
    head = signed + FIELDS + b"\r\n"
    held = survives(head, edits, HERE)
    copy = apply(wire.canonical(head), edits) + BODY
    assert not held or True in verify(copy, {KEY.name: KEY.record}).dkim
