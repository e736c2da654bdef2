"""The rules that owners set: each by itself, when it hits, when it must not, and what it says."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail import senders
from postroad.mail.headers import decoded_fields, scan
from schemas.commands import Author
from schemas.mail import RawRef
from services.router import rules
from services.router.context import Approval, Hit, Looked, Verdict
from services.router.rules import (
    administrivia,
    approved,
    banned_address,
    emergency,
    header_match,
    implicit_dest,
    max_recipients,
    max_size,
    no_subject,
    nonmember_moderation,
    suspicious_header,
)
from tests.unit.router.mails import MEMBER, OWNER, RAW, STRANGER, before, mail, received, the_list

ANN, NEWS = senders.of_key("0f" * 32), "@news@lists.example.org"
STOPS: tuple[Verdict, ...] = ("hold", "reject", "discard")


def verdict(hit: Hit | None) -> Verdict | None:
    """What the rule says becomes of the mail."""
    assert hit is not None
    return hit.verdict


# --- approved, emergency ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "says"), [("right", "accept"), ("wrong", None), ("limited", None)]
)
def test_only_the_right_password_approves(found: Approval, says: Verdict | None) -> None:
    """A right one accepts; any other is told of, and decides nothing."""
    assert verdict(approved.check(before(mail(), looked=Looked(approval=found)))) == says


def test_a_mail_without_password_is_not_approved() -> None:
    """As nearly all mail is."""
    assert approved.check(before(mail())) is None


def test_an_emergency_holds_all_but_what_is_approved() -> None:
    """Members and owners are held as well; the moderator's password lets a post through."""
    known = the_list(emergency=True)
    for author in (MEMBER, OWNER, STRANGER):
        assert emergency.check(before(mail(), author, known))
    assert emergency.check(before(mail())) is None
    told = before(mail(), known=known, looked=Looked(approval="right"))
    decisive = next(ruling for ruling in rules.ask(rules.POST, told) if ruling.verdict)
    assert (decisive.rule, decisive.verdict) == ("approved", "accept")


@pytest.mark.parametrize(
    "line", ["List-Id: <team.lists.example.org>", "X-BeenThere: team@lists.example.org"]
)
def test_no_password_passes_a_guard_against_loops(line: str) -> None:
    """What came round again is stopped, password or not."""
    told = before(mail(line), looked=Looked(approval="right"))
    decisive = next(ruling for ruling in rules.ask(rules.POST, told) if ruling.verdict)
    assert (decisive.rule, decisive.verdict) == ("loop", "discard")


# --- banned-address ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ban", "known", "hit"),
    [
        (ANN, (ANN,), True),
        (ANN, (), False),
        ("@example.org", (), True),
        ("@example.net", (), False),
        (r"^a.*@example\.org$", (), True),
        (r"^b.*@example\.org$", (), False),
    ],
)
def test_who_is_banned_may_not_post(ban: str, known: tuple[str, ...], hit: bool) -> None:
    """By address, domain or pattern; being a member helps nobody, and the reason names nobody."""
    author = msgspec.structs.replace(MEMBER, named=known)
    found = banned_address.check(before(mail(), author, the_list(bans=("@x.example", ban))))
    assert bool(found) is hit
    assert not found or "@" not in found.reason


def test_each_author_counts_for_a_ban() -> None:
    """A second address in From hides nobody."""
    many = mail("From: eve@evil.example, ann@example.org")
    assert banned_address.check(before(many, STRANGER, the_list(bans=("@evil.example",))))


# --- nonmember-moderation ---------------------------------------------------------------------


def test_what_was_decided_on_a_stranger_stands_before_all_that_is_said_of_strangers() -> None:
    """The moderation of a nonmember decides; defer leaves them to the remaining rules."""
    known = the_list(discard_these_nonmembers=(r"^.*@example\.org$",))
    for action in ("accept", "hold", "reject", "discard"):
        author = msgspec.structs.replace(STRANGER, moderation=action)
        assert verdict(nonmember_moderation.check(before(mail(), author, known))) == action
    author = msgspec.structs.replace(STRANGER, moderation="defer")
    assert nonmember_moderation.check(before(mail(), author, known)) is None


@pytest.mark.parametrize("entry", [ANN, NEWS, r"^ann@"])
def test_strangers_who_are_named_are_accepted_as_members_are(entry: str) -> None:
    """accept_these_nonmembers leaves them to the remaining rules, and says that it did."""
    author = Author(named=(ANN, NEWS))
    known = the_list(accept_these_nonmembers=(entry,), discard_these_nonmembers=(entry,))
    hit = nonmember_moderation.check(before(mail(), author, known))
    assert verdict(hit) is None


@pytest.mark.parametrize("action", STOPS)
def test_strangers_who_are_named_are_stopped_as_the_list_says(action: Verdict) -> None:
    """hold_, reject_ and discard_these_nonmembers stand before default_nonmember_action."""
    known = the_list(
        **{f"{action}_these_nonmembers": (r"^.*@example\.org$",)},
        default_nonmember_action="accept",
    )
    assert verdict(nonmember_moderation.check(before(mail(), STRANGER, known))) == action
    other = before(mail("From: bob@example.net"), STRANGER, known)
    assert verdict(nonmember_moderation.check(other)) == "accept"
    assert nonmember_moderation.check(before(mail(), MEMBER, known)) is None


# --- administrivia, implicit-dest, max-recipients, max-size, no-subject ------------------------


def test_a_command_to_everybody_is_held() -> None:
    """What ingest read as a command is, unless the list lets such mail pass."""
    assert administrivia.check(before(mail(opening="command")))
    assert administrivia.check(before(mail())) is None
    off = the_list(administrivia=False)
    assert administrivia.check(before(mail(opening="command"), known=off)) is None


@pytest.mark.parametrize(
    ("line", "hit"),
    [
        ("To: team@lists.example.org", False),
        ("Cc: Team <Team@Lists.example.org>", False),
        ("To: crew@old.example.org", False),
        ("To: team-de@lists.example.org", False),
        ("To: undisclosed-recipients:;", True),
        ("To: bob@example.net", True),
        ("To:", True),
    ],
)
def test_a_list_may_want_to_be_named(line: str, hit: bool) -> None:
    """Only its addresses, aliases and their patterns in To or Cc count, unless it lets all pass."""
    lines = (line, *(["To:"] if line.startswith("Cc") else []))
    aliases = ("crew@old.example.org", r"^team-..@")
    strict = the_list(acceptable_aliases=aliases)
    assert bool(implicit_dest.check(before(mail(*lines), known=strict))) is hit
    loose = the_list(require_explicit_destination=False)
    assert implicit_dest.check(before(mail(*lines), known=loose)) is None


@pytest.mark.parametrize(
    ("count", "limit", "hit"), [(10, 10, False), (11, 10, True), (99, 0, False)]
)
def test_too_many_recipients_are_too_many(count: int, limit: int, hit: bool) -> None:
    """More different addresses in To and Cc than the list takes; 0 takes any number."""
    to = ", ".join(f"m{number}@example.net" for number in range(count - 1))
    line = f"To: {to}, {to}"
    told = before(
        mail(line, "Cc: team@lists.example.org"), known=the_list(max_num_recipients=limit)
    )
    found = max_recipients.check(told)
    assert bool(found) is hit
    assert not found or "name 11 recipients, more than the 10" in found.reason


def test_of_more_recipients_than_are_read_it_is_said_that_there_are_more() -> None:
    """A thousand are read of each field."""
    to = ", ".join(f"m{number}@example.net" for number in range(1_001))
    found = max_recipients.check(before(mail(f"To: {to}")))
    assert found is not None
    assert "name at least 1,000 recipients, more than the 10" in found.reason


@pytest.mark.parametrize(
    ("size", "limit", "hit"),
    [(40 * 1024, 40, False), (40 * 1024 + 1, 40, True), (1 << 40, 0, False)],
)
def test_too_large_is_too_large(size: int, limit: int, hit: bool) -> None:
    """The whole mail counts, in KB of 1,024 octets; 0 takes any size."""
    large: RawRef = msgspec.structs.replace(RAW, size=size)
    told = msgspec.structs.replace(mail(), raw=large)
    found = max_size.check(before(told, known=the_list(max_message_size=limit)))
    assert bool(found) is hit
    assert not found or found.reason == "it has 41 KB, more than the 40 KB of this list"


@pytest.mark.parametrize("line", ["Subject:", "Subject: ", "Subject: =?utf-8?q?_?="])
def test_a_post_wants_a_subject(line: str) -> None:
    """None and an empty one are the same; what becomes of such mail is the list's choice."""
    assert verdict(no_subject.check(before(mail(line)))) == "hold"
    assert verdict(no_subject.check(before(mail(line), known=the_list(no_subject_action="reject"))))
    assert no_subject.check(before(mail(line), known=the_list(no_subject_action="defer"))) is None
    assert no_subject.check(before(mail("Subject: Re: no"))) is None


# --- header-match, suspicious-header ------------------------------------------------------------

FIELDS = (("subject", "[ad] Cheap tea"), ("x-spam-flag", "NO"), ("x-spam-flag", "YES"))


@pytest.mark.parametrize(
    ("matches", "says", "number"),
    [
        ((r"discard X-Spam-Flag: ^yes$",), "discard", 1),
        ((r"hold Subject: nothing", r"reject subject: ^\[ad\]"), "reject", 2),
        ((r"accept Subject: tea", r"discard Subject: tea"), "accept", 1),
    ],
)
def test_the_first_header_match_decides(
    matches: tuple[str, ...], says: Verdict, number: int
) -> None:
    """Each field of the name is looked at, in the order of the matches; the reason says which."""
    known, looked = the_list(header_matches=matches), Looked(fields=FIELDS)
    found = header_match.check(before(mail(), known=known, looked=looked))
    assert verdict(found) == says
    assert found
    assert f"(header_matches, {number})" in found.reason


def test_what_is_not_found_decides_nothing() -> None:
    """Neither without the field, nor without the pattern, nor where none is looked for."""
    known = the_list(header_matches=("hold X-None: .", "hold Subject: ^tea"))
    looked = Looked(fields=FIELDS)
    assert header_match.check(before(mail(), known=known, looked=looked)) is None
    assert header_match.check(before(mail(), looked=looked)) is None


def test_the_site_looks_into_headers_too() -> None:
    """What the operator looks for counts at each list; an address in it is not repeated."""
    looked = Looked(fields=FIELDS, header_checks=("discard X-Spam-Flag: yes",))
    found = suspicious_header.check(before(mail(), looked=looked))
    assert found == Hit("its X-Spam-Flag has yes (header_checks, 1)", "discard")
    named = Looked(fields=(("to", "eve@evil.example"),), header_checks=("hold To: eve@evil",))
    found = suspicious_header.check(before(mail(), looked=named))
    assert found == Hit("its To has what is looked for (header_checks, 1)", "hold")


def test_spam_of_a_stranger_is_discarded_rather_than_held() -> None:
    """What the list looks for in headers stands before what it does with strangers."""
    known = the_list(header_matches=("discard X-Spam-Flag: yes",))
    told = before(mail(), STRANGER, known, Looked(fields=FIELDS))
    decisive = next(ruling for ruling in rules.ask(rules.POST, told) if ruling.verdict)
    assert (decisive.rule, decisive.verdict) == ("header-match", "discard")


# --- any mail, any settings ---------------------------------------------------------------------

entries = st.lists(
    st.text(max_size=12) | st.sampled_from(["^a", "^(", "@x.example", "#0f"]), max_size=3
)


@given(
    data=st.binary(max_size=300) | st.text(max_size=200).map(str.encode),
    entries=entries.map(tuple),
    matches=st.lists(st.text(max_size=20).map("hold Subject: {}".format), max_size=3).map(tuple),
)
def test_no_settings_and_no_mail_make_a_rule_raise(
    data: bytes, entries: tuple[str, ...], matches: tuple[str, ...]
) -> None:
    """Whatever an older release took, each rule answers, in words that name nobody."""
    data = b"From: ann@example.org\r\nSubject: " + data
    facts, _ = scan(data)
    known = the_list(
        bans=entries,
        accept_these_nonmembers=entries,
        discard_these_nonmembers=entries,
        acceptable_aliases=entries,
        header_matches=matches,
        emergency=True,
        require_explicit_destination=True,
    )
    looked = Looked(fields=decoded_fields(data), header_checks=matches, approval="wrong")
    for rule in rules.POST:
        hit = rule.check(before(received(facts), STRANGER, known, looked))
        assert hit is None or hit.reason.isprintable()
        assert hit is None or "example.org" not in hit.reason
