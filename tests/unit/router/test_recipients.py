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


def test_an_address_whose_token_tells_the_list_is_left_to_who_reads_tokens() -> None:
    """`bounces+TOKEN@` alone names no list, and none is guessed."""
    found = recipients(mail("To: bounces+abc234@lists.example.org"), LISTS)
    assert found == (Match("", "bounces", "abc234"),)


GMAIL = {"me+team@gmail.com": "team", "me+news@gmail.com": "news"}
ME = "me@gmail.com"


def at_gmail(*lines: str, lists: dict[str, str] = GMAIL) -> tuple[Match, ...]:
    """Where a mail goes that lies in me@gmail.com with these lines."""
    found = mail(*lines, trusted=("Delivered-To",))
    return recipients(found, lists, mailbox="Me@gmail.com", one_copy=True)


@pytest.mark.parametrize(
    ("lines", "slugs"),
    [
        (["Delivered-To: me@gmail.com", HOP, "To: me+team@gmail.com"], ["team"]),
        (["Delivered-To: me+team@gmail.com", HOP, "To: me+team@gmail.com"], ["team"]),
        (["Delivered-To: me+team@gmail.com", HOP, "To: bob@example.com"], ["team"]),  # Bcc
        (["Delivered-To: me@gmail.com", HOP, "To: ME+Team@Gmail.com"], ["team"]),
        (
            ["Delivered-To: me+team@gmail.com", HOP, "To: me+team@gmail.com, me+news@gmail.com"],
            ["team", "news"],
        ),
        (
            ["Delivered-To: me+news@gmail.com", HOP, "Cc: me+news@gmail.com"],
            ["news"],  # To still is the ordinary team@lists.example.org, which lives elsewhere
        ),
        ([HOP, "Delivered-To: me+news@gmail.com", "To: me+team@gmail.com"], ["team"]),  # forged
        (["Delivered-To: me@gmail.com", HOP, "To: bob@example.com"], []),
    ],
)
def test_where_the_provider_keeps_one_copy(lines: list[str], slugs: list[str]) -> None:
    """A copy merged from several aliases is for each of them that To or Cc names, and for the one
    it was delivered to; each once."""
    assert sorted(hit.slug for hit in at_gmail(*lines)) == sorted(slugs)


def test_without_merging_only_the_copys_own_alias_counts() -> None:
    """Where each alias gets a copy of its own, To would post each of them twice."""
    both = mail(
        "Delivered-To: me+team@gmail.com",
        HOP,
        "To: me+team@gmail.com, me+news@gmail.com",
        trusted=("Delivered-To",),
    )
    assert recipients(both, GMAIL, mailbox=ME) == (TEAM,)


@pytest.mark.parametrize(
    ("lines", "slugs"),
    [
        (["Delivered-To: me@gmail.com", HOP, "To: me@gmail.com"], ["all"]),
        (["Delivered-To: me@gmail.com", HOP, "To: bob@example.com"], ["all"]),  # Bcc
        (["To:"], ["all"]),
        (["Delivered-To: me@gmail.com", HOP, "To: me+team@gmail.com"], ["team"]),
        (["Delivered-To: carol@example.org", HOP, "To: bob@example.com"], []),
        (["Delivered-To: me@gmail.com", HOP, "To: bob@example.com, me-owner@gmail.com"], ["all"]),
    ],
)
def test_a_list_at_the_mailboxs_own_address(lines: list[str], slugs: list[str]) -> None:
    """What lies in its mailbox and is for none of our other addresses is for that list."""
    lists = {"me@gmail.com": "all", "me+team@gmail.com": "team"}
    found = mail(*lines, trusted=("Delivered-To",))
    assert [hit.slug for hit in recipients(found, lists, mailbox=ME)] == slugs


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("me+team+join@gmail.com", Match("team", "join")),
        ("me+team-join@gmail.com", Match("team", "join")),
        ("ME+TEAM+JOIN@GMAIL.COM", Match("team", "join")),
        ("me+team+bounces-ABC234@gmail.com", Match("team", "bounces", "abc234")),
        ("me+team-bounces+abc234@gmail.com", Match("team", "bounces", "abc234")),
        ("Me+Team+Confirm-ABC234@gmail.com", Match("team", "confirm", "abc234")),
        ("me+team-owner@gmail.com", Match("team", "owner")),
        ("me+team+some-tag@gmail.com", Match("team")),
        ("me+team-request@gmail.com", Match("own")),
        ("me+team-request+join@gmail.com", Match("own", "join")),
        ("me+team-request-request@gmail.com", Match("own", "request")),
    ],
)
def test_lists_that_are_plus_addresses_have_sub_addresses(address: str, meant: Match) -> None:
    """In both forms and any case; a list whose own name ends in -request keeps its mail."""
    lists = {**GMAIL, "me+team-request@gmail.com": "own"}
    assert at_gmail(f"To: {address}", lists=lists) == (meant,)


def test_a_mail_to_a_list_and_its_owners_reaches_both_in_a_merged_copy() -> None:
    """The post first, the letter to the owners after it."""
    both = at_gmail(
        "Delivered-To: me@gmail.com", HOP, "To: me+team+owner@gmail.com, me+team@gmail.com"
    )
    assert both == (TEAM, Match("team", "owner"))


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
    assert {match.slug for match in found if match.slug} <= (
        {bound} if bound else set(LISTS.values())
    )
    assert [bool(match.sub) for match in found] == sorted(bool(match.sub) for match in found)
    assert found or not bound


def test_a_mail_that_names_nobody_was_sent_to_nobody() -> None:
    """No To, no Cc, no evidence: an empty answer, not an error."""
    assert sent_to(received(HeaderFacts())) == ()
