"""Recipient truth: which of our lists a mail was sent to, by the best evidence there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.addresses import Match
from schemas.mail import HeaderFacts, Mailbox
from services.router.recipients import recipients, sent_to
from tests.unit.router.mails import mail, received

LISTS = {
    "team@lists.example.org": "team",
    "news@lists.example.org": "news",
    "chess@club.example.net": "chess",
}
TEAM, NEWS, CHESS = Match("team"), Match("news"), Match("chess")
TRUSTED = ("Delivered-To", "X-Original-To")
HOP = "Received: by mx.example.org"


def test_without_better_evidence_every_list_in_to_and_cc_counts() -> None:
    """One mail may be for many lists; who else it names does not matter."""
    cross_post = mail(
        "To: Bob <bob@example.com>, team@lists.example.org",
        "Cc: The news <NEWS@Lists.Example.org>, carol@example.com",
    )
    assert recipients(cross_post, LISTS) == (TEAM, NEWS)


def test_a_list_named_twice_counts_once() -> None:
    """A list in To and in Cc, in two spellings or with a tag, gets the mail once."""
    twice = mail(
        "To: team@lists.example.org, Team+x@LISTS.example.org", "Cc: team@lists.example.org"
    )
    assert recipients(twice, LISTS) == (TEAM,)


def test_the_envelope_beats_every_header() -> None:
    """Where the source knows the envelope, headers say nothing: a Bcc arrives, a To does not."""
    bcc = mail(
        "Delivered-To: chess@club.example.net",
        HOP,
        trusted=TRUSTED,
        envelope_to=("news@lists.example.org",),
    )
    assert recipients(bcc, LISTS) == (NEWS,)


def test_a_trusted_header_beats_to_and_cc() -> None:
    """A copy that the server says went to one list is for that list, whatever To names."""
    bcc = mail("X-Original-To: chess@club.example.net", HOP, trusted=TRUSTED)
    assert recipients(bcc, LISTS) == (CHESS,)


def test_a_trusted_header_below_the_first_received_is_forged() -> None:
    """What stood in the mail before our server took it is the sender's word, and not believed."""
    forged = mail(HOP, "Delivered-To: chess@club.example.net", trusted=TRUSTED)
    assert recipients(forged, LISTS) == (TEAM,)


def test_a_header_the_source_does_not_trust_says_nothing() -> None:
    """Trust is given by the settings of the source only."""
    assert recipients(mail("Delivered-To: chess@club.example.net", HOP), LISTS) == (TEAM,)


@pytest.mark.parametrize("user", ["box@lists.example.org", "Box@Lists.example.org", "box"])
def test_the_mailboxs_own_address_says_nothing(user: str) -> None:
    """Delivered-To is the mailbox itself on every mail; servers may know it without a domain."""
    plain = mail("Delivered-To: box@lists.example.org", HOP, trusted=TRUSTED)
    assert recipients(plain, LISTS, mailbox=user) == (TEAM,)


def test_beside_its_own_address_the_other_trusted_ones_count() -> None:
    """Delivered-To names the mailbox, X-Original-To the alias: the alias decides."""
    alias = mail(
        "Delivered-To: box@lists.example.org",
        "X-Original-To: news@lists.example.org",
        HOP,
        trusted=TRUSTED,
    )
    assert recipients(alias, LISTS, mailbox="box@lists.example.org") == (NEWS,)


def test_a_copy_for_somebody_else_is_for_no_list() -> None:
    """A trusted header that names no list is the truth all the same: the list has its own copy."""
    carols = mail("X-Original-To: carol@lists.example.org", HOP, trusted=TRUSTED)
    assert recipients(carols, LISTS) == ()


def test_a_source_reaches_only_the_lists_it_is_given() -> None:
    """A mail in one domain's mailbox cannot post to another domain's list."""
    both = mail("Cc: chess@club.example.net")
    own = {address: slug for address, slug in LISTS.items() if address.endswith("example.net")}
    assert recipients(both, own) == (CHESS,)


def test_in_single_list_mode_every_mail_is_for_that_list() -> None:
    """A mailbox bound to one list posts to it whatever To says, or says nothing."""
    assert recipients(mail("To: friends@example.com"), LISTS, bound="news") == (NEWS,)
    assert recipients(mail("To:"), LISTS, bound="news") == (NEWS,)
    assert recipients(mail(), LISTS, bound="news") == (NEWS,)


def test_in_single_list_mode_its_owners_are_still_reached() -> None:
    """Sub-addresses of the bound list keep their meaning."""
    to_owners = mail("To: news-owner@lists.example.org")
    assert recipients(to_owners, LISTS, bound="news") == (Match("news", "owner"),)


def test_a_source_bound_to_a_list_that_is_gone_reaches_none() -> None:
    """A closed list gets no mail from its old mailbox."""
    assert recipients(mail(), LISTS, bound="gone") == ()


def test_sub_addresses_come_after_posting_addresses() -> None:
    """Where a mail names a list and its owners, the post is decided first."""
    both = mail("To: team-owner@lists.example.org, news@lists.example.org, team@lists.example.org")
    assert recipients(both, LISTS) == (NEWS, TEAM, Match("team", "owner"))


def test_tokens_are_kept() -> None:
    """A confirmation goes with its token."""
    confirm = mail("To: team-confirm+abc234@lists.example.org")
    assert recipients(confirm, LISTS) == (Match("team", "confirm", "abc234"),)


def test_a_bounce_address_that_names_no_list_reaches_none() -> None:
    """`bounces+TOKEN@` alone does not tell the list; it is not guessed."""
    assert recipients(mail("To: bounces+abc234@lists.example.org"), LISTS) == ()


ADDRESSES = st.sampled_from([*LISTS, "team-owner@lists.example.org", "bob@example.com", "", "@"])
BOXES = st.lists(ADDRESSES, max_size=4).map(
    lambda found: tuple(Mailbox(address=address) for address in found)
)


@given(
    to=BOXES,
    cc=BOXES,
    envelope=st.lists(ADDRESSES, max_size=3),
    bound=st.sampled_from(["", "news"]),
)
def test_recipients_are_distinct_reachable_and_posts_first(to, cc, envelope, bound) -> None:
    """Whatever a mail names, the answer holds each address once, of known lists, posts first."""
    odd = received(HeaderFacts(to=to, cc=cc), envelope_to=tuple(envelope))
    found = recipients(odd, LISTS, bound=bound)
    assert len(set(found)) == len(found)
    assert {match.slug for match in found} <= ({bound} if bound else set(LISTS.values()))
    assert [bool(match.sub) for match in found] == sorted(bool(match.sub) for match in found)
    assert found or not bound


def test_a_mail_that_names_nobody_was_sent_to_nobody() -> None:
    """No To, no Cc, no evidence: an empty answer, not an error."""
    assert sent_to(received(HeaderFacts())) == ()
