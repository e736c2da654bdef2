"""Each rule by itself: when it hits, when it must not, and what it says."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.headers import scan
from schemas.commands import Author
from services.router import rules
from services.router.context import Verdict
from services.router.rules import (
    automatic,
    loop,
    max_hops,
    member_moderation,
    no_senders,
    nonmember_moderation,
)
from tests.unit.router.mails import MEMBER, OWNER, STRANGER, before, mail, received, the_list

OUR_OTHER_LISTS = (
    "List-Id: News <news.lists.example.org>",
    "List-Post: <mailto:news@lists.example.org>",
    "X-BeenThere: news@lists.example.org",
    "Precedence: list",
)


# --- loop -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mark",
    [
        "List-Id: The team <team.lists.example.org>",
        "List-Id: <Team.Lists.Example.org>",
        "List-Post: <mailto:team@lists.example.org>",
        "X-BeenThere: team@lists.example.org",
        "X-BeenThere: team-owner@lists.example.org",
        "List-Post: mailto:team@lists.example.org",
        "List-Post: <https://lists.example.org/>, mailto:team@lists.example.org?subject=x (write)",
        "List-Post: =?utf-8?q?=3Cmailto=3Ateam=40lists=2Eexample=2Eorg=3E?=",
        "List-Id: =?utf-8?q?The_t=C3=A9am?= =?utf-8?q?_=3Cteam=2Elists=2Eexample=2Eorg=3E?=",
        "X-BeenThere: =?utf-8?q?team=40lists=2Eexample=2Eorg?=",
    ],
)
def test_a_mail_that_came_through_this_list_before_is_a_loop(mark: str) -> None:
    """This list's own List-Id, List-Post or X-BeenThere tells that a mail comes round, also where
    a server on the way wrote it anew."""
    assert loop.check(before(mail(mark)))


def test_a_mail_from_a_list_in_the_list_is_none() -> None:
    """Nested lists are legal: another list's marks say nothing."""
    assert loop.check(before(mail(*OUR_OTHER_LISTS))) is None


def test_its_own_mark_is_found_among_those_of_other_lists() -> None:
    """A mail that went on through other lists and came back is a loop all the same."""
    assert loop.check(before(mail(*OUR_OTHER_LISTS, "X-BeenThere: team@lists.example.org")))


def test_a_list_post_of_an_alias_is_our_own() -> None:
    """An alias is this list, too."""
    known = the_list(acceptable_aliases=("crew@old.example.org",))
    assert loop.check(before(mail("List-Post: <mailto:crew@old.example.org>"), known=known))


@pytest.mark.parametrize(
    ("line", "verdict"),
    [("Precedence: list", None), ("Auto-Submitted: auto-generated", None), ("X-Odd: 1", "hold")],
)
def test_mail_from_the_list_itself_does_not_go_out(line: str, verdict: str | None) -> None:
    """Our own copies, munged and stripped of their marks, are discarded; what a person may have
    written under the list's address is held. Mail to the owners may come from there."""
    own = before(mail("From: Team <Team@Lists.example.org>", line))
    hit = loop.check_post(own)
    assert hit
    assert hit.verdict == verdict
    assert loop.check(own) is None


# --- max-hops -------------------------------------------------------------------------------


@pytest.mark.parametrize(("hops", "hit"), [(0, False), (30, False), (31, True), (60, True)])
def test_more_than_thirty_hops_are_too_many(hops: int, hit: bool) -> None:
    """A mail that passed more than 30 servers is going round, even if nobody marks it."""
    assert bool(max_hops.check(before(mail(*["Received: by a.example"] * hops)))) is hit


# --- automatic ------------------------------------------------------------------------------

ANSWERS = (
    "Auto-Submitted: auto-replied",
    "Auto-Submitted: auto-notified; owner-email=x",
    "Return-Path: <>",
    "X-Autoreply: yes",
    'Content-Type: multipart/report; report-type="delivery-status"; boundary=x',
    "Content-Type: multipart/report; report-type=disposition-notification; boundary=x",
)
OTHER_MACHINES = ("Auto-Submitted: auto-generated", "Precedence: bulk", "Precedence: junk")
HUMANS = (
    "Subject: hello",
    "Auto-Submitted: no",
    "Auto-Submitted: No (really)",
    "Return-Path: <ann@example.org>",
    "Precedence: list",
    "Precedence: normal",
)


@pytest.mark.parametrize("line", [*ANSWERS, *OTHER_MACHINES])
def test_what_a_machine_sent_is_automatic(line: str) -> None:
    """No sign of a machine is overlooked (RFC 3834 and what came before it)."""
    assert automatic.check(before(mail(line)))


@pytest.mark.parametrize("line", HUMANS)
def test_what_a_human_sent_is_not(line: str) -> None:
    """Ordinary mail passes, and mail from a nested list (Precedence: list) is ordinary."""
    assert automatic.check(before(mail(line))) is None


def test_a_post_with_the_subject_of_a_vacation_notice_is_automatic() -> None:
    """Not every vacation program sets a mark; owners get such mail all the same."""
    away = before(mail("Subject: Out of office: [Team] Tea"))
    assert automatic.check(away)
    assert automatic.check_answer(away) is None


def test_an_empty_envelope_sender_is_a_machine() -> None:
    """Where the source knows the envelope, MAIL FROM:<> says bounce as Return-Path: <> does."""
    assert automatic.check(before(mail(envelope_from="")))
    assert automatic.check(before(mail(envelope_from="ann@example.org"))) is None


@pytest.mark.parametrize(
    ("line", "hit"),
    [(line, True) for line in ANSWERS] + [(line, False) for line in (*OTHER_MACHINES, *HUMANS)],
)
def test_an_answer_is_told_from_other_automatic_mail(line: str, hit: bool) -> None:
    """Owners get what a machine has to say; what only answers our own mail would go in circles."""
    assert bool(automatic.check_answer(before(mail(line)))) is hit


# --- no-senders -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "From:",
        "From: ",
        "From: <>",
        "From: Ann",
        "From: undisclosed-recipients:;",
        "From: ann@example.org, bob@example.org",
        "From: Ann <ann@example.org>\r\nFrom: Bob <bob@example.org>",
        "From: Ann <ann@example.org>\r\nFrom: Ann <ann@example.org>",
        "From: Ann <ann@example.org>\r\nFrom: <@>",
        "From: ann@example.org, <bob",
        "From: ann@good.example <eve@evil.example>",
        'From: ann@example.org, "never closed',
    ],
)
def test_a_mail_without_one_certain_author_is_told(line: str) -> None:
    """Missing, unreadable, partly readable and many: nobody knows who wrote it."""
    assert no_senders.check(before(mail(line), STRANGER))


@pytest.mark.parametrize(
    "line",
    [
        "From: ann@example.org",
        "From: Ann (from the office) <ann@example.org>",
        "From: ann @ example.org",
        "From: Authors: ann@example.org;",
    ],
)
def test_one_author_is_one_author_in_old_forms_too(line: str) -> None:
    """Comments, groups and obsolete spaces name the author as certainly as any form."""
    assert no_senders.check(before(mail(line))) is None


# --- member-moderation, nonmember-moderation --------------------------------------------------

ACTIONS: tuple[Verdict, ...] = ("accept", "hold", "reject", "discard")


@pytest.mark.parametrize("action", ACTIONS)
def test_the_action_for_members_applies_to_members(action: Verdict) -> None:
    """default_member_action decides, unless it defers to the rules that follow."""
    known = the_list(default_member_action=action)
    hit = member_moderation.check(before(mail(), MEMBER, known))
    assert hit is not None
    assert hit.verdict == action
    assert member_moderation.check(before(mail(), STRANGER, known)) is None
    assert member_moderation.check(before(mail(), MEMBER, the_list())) is None


@pytest.mark.parametrize("action", ACTIONS)
def test_a_members_own_action_beats_the_lists(action: Verdict) -> None:
    """moderation_action singles a member out, for better or worse."""
    known = the_list(default_member_action="hold" if action != "hold" else "discard")
    author = Author(person="a1" * 12, roles=("member",), moderation=action)
    hit = member_moderation.check(before(mail(), author, known))
    assert hit is not None
    assert hit.verdict == action


def test_a_member_may_be_exempt_from_moderation() -> None:
    """A moderation_action of defer lets one member post freely where all others are held."""
    author = Author(person="a1" * 12, roles=("member",), moderation="defer")
    known = the_list(default_member_action="hold")
    assert member_moderation.check(before(mail(), author, known)) is None


@pytest.mark.parametrize("action", ACTIONS)
def test_the_action_for_strangers_applies_to_strangers(action: Verdict) -> None:
    """default_nonmember_action decides on people who are not on the list."""
    known = the_list(default_nonmember_action=action)
    hit = nonmember_moderation.check(before(mail(), STRANGER, known))
    assert hit is not None
    assert hit.verdict == action


def test_strangers_are_held_by_default() -> None:
    """A new list lets nobody post but its members."""
    hit = nonmember_moderation.check(before(mail(), STRANGER))
    assert hit is not None
    assert hit.verdict == "hold"


def test_a_list_may_defer_on_strangers() -> None:
    """Defer leaves strangers to the remaining rules."""
    known = the_list(default_nonmember_action="defer")
    assert nonmember_moderation.check(before(mail(), STRANGER, known)) is None


def test_owners_and_moderators_are_no_strangers() -> None:
    """Who runs the list may write to it, member or not, and members' moderation is not theirs."""
    known = the_list(default_member_action="reject", default_nonmember_action="discard")
    for author in (OWNER, Author(person="0c" * 12, roles=("moderator",))):
        assert nonmember_moderation.check(before(mail(), author, known)) is None
        assert member_moderation.check(before(mail(), author, known)) is None


# --- the table --------------------------------------------------------------------------------


def test_the_order_of_the_rules_is_the_documented_one() -> None:
    """Guards come before judgements; truth ends each table, so that there is always a verdict."""
    assert [rule.name for rule in rules.POST] == [
        "loop",
        "max-hops",
        "repetition",
        "content-filter",
        "approved",
        "emergency",
        "banned-address",
        "spam",
        "dmarc",
        "automatic",
        "no-senders",
        "member-moderation",
        "header-match",
        "suspicious-header",
        "nonmember-moderation",
        "administrivia",
        "implicit-dest",
        "max-recipients",
        "max-size",
        "no-subject",
        "hooks",
        "truth",
    ]
    assert [rule.name for rule in rules.OWNER] == ["loop", "max-hops", "automatic", "truth"]


def test_every_rule_is_asked_even_after_the_first_hit() -> None:
    """A moderator sees every reason at once."""
    stranger = before(mail("Precedence: bulk", "From: ann@example.org, bob@example.org"), STRANGER)
    rulings = rules.ask(rules.POST, stranger)
    assert [ruling.rule for ruling in rulings if ruling.hit] == ["automatic", "no-senders", "truth"]


@given(data=st.binary(max_size=600) | st.text(max_size=300).map(str.encode))
def test_no_rule_raises_on_any_mail_nor_repeats_it(data: bytes) -> None:
    """Whatever the bytes are, each rule answers, in words that are safe to store and to print."""
    facts, _ = scan(b"From: " + data)
    for rule in chain(rules.POST, rules.OWNER):
        hit = rule.check(before(received(facts), STRANGER))
        reason = hit.reason.replace("name@domain", "") if hit else ""  # the form, of nobody
        assert reason.isprintable()
        assert "@" not in reason
