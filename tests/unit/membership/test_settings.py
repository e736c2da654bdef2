"""Settings as owners type them: added to, taken from, refused with the reason."""

from __future__ import annotations

import re

import pytest

from postroad.mail import approval, senders
from schemas.lists import ListSettings
from services.membership import settings
from services.membership.entries import Around, shown
from services.membership.refused import Refused
from services.membership.settings import parse

AROUND = Around(
    domain="lists.example.org",
    lists={"news@lists.example.org", "dev@lists.example.net"},
    key=lambda address: address.encode().hex().ljust(64, "0"),
)


def key(address: str) -> str:
    """The entry that stands for this address."""
    return senders.of_key(AROUND.key(address))


def typed(name: str, text: str, **old: object) -> object:
    """The value that a setting has when this is typed where there was `old`."""
    before = ListSettings(**old)  # type: ignore[arg-type]
    (value,) = parse({name: text}, before, AROUND).values()
    return value


@pytest.mark.parametrize("name", ["accept_these_nonmembers", "discard_these_nonmembers"])
def test_strangers_are_named_by_address_pattern_or_list(name: str) -> None:
    """An address is kept as its key only; a pattern may hold commas; a list has a short name."""
    text = r"Ann@Example.ORG, ^.{2,3}@example\.com$, @news @dev@lists.example.net"
    assert typed(name, text) == (
        key("ann@example.org"),
        r"^.{2,3}@example\.com$",
        "@news@lists.example.org",
        "@dev@lists.example.net",
    )


@pytest.mark.parametrize("name", ["bans", "dmarc_addresses"])
def test_anybody_is_named_by_address_pattern_or_domain(name: str) -> None:
    """No address is kept that is named by itself."""
    found = typed(name, "eve@evil.example @Evil.Example ^.*evil")
    assert found == (key("eve@evil.example"), "@evil.example", "^.*evil")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("bans", "nobody", "bans: 'nobody' is no mail address"),
        ("bans", "@", "bans: "),
        ("bans", "^(?=x)", "bans: the pattern ^(?=x) has look-ahead"),
        ("accept_these_nonmembers", "@other", "there is no list other@lists.example.org"),
        (
            "accept_these_nonmembers",
            "@example.com",
            r"everybody at a domain is ^.*@example\.com$",
        ),
        ("also_to", "^x", "also_to: "),
        ("header_matches", "hold Subject", "is not of the form `hold Subject: pattern`"),
        ("header_matches", "\n".join(f"Subject: x{n}" for n in range(51)), "at most 50 of them"),
        ("header_matches-", "3", "there is no number 3; `postroad list show` numbers them from 1"),
        ("header_matches", "hold Subject: ^", "the pattern ^ is found in everything; write what"),
        ("header_matches+", "Subject: casino|", "a single . for any Subject that is not empty"),
        ("bans", "^", "bans: the pattern ^ is found in every address; for mail of everybody"),
        ("bans+", "^.*@evil.example|", "found in every address"),
        ("hold_these_nonmembers", "^.*@", "every stranger there is default_nonmember_action"),
        ("dmarc_addresses", "^.+", "there is dmarc_mitigate_unconditionally=true"),
        ("acceptable_aliases", "^.*", "there is require_explicit_destination=false"),
        ("bans", "@foo.txt", "to read a file, write a path with a slash: bans=@./foo.txt"),
        ("accept_these_nonmembers", "@foo.csv", "accept_these_nonmembers=@./foo.csv"),
        ("description+", "x", "description has one value, set it with description="),
        ("max_num_recipients", "-1", "max_num_recipients=-1: must be a whole number from 0 (no "),
        ("max_message_size", "40KB", "max_message_size=40KB: must be a whole number from 0 (no "),
        ("max_message_size", "9" * 15, "to 2,147,483,647, such as max_message_size=10240"),
        ("max_days_to_hold", "366", "a whole number from 0 (never) to 365, such as max_days_to"),
        ("spam_threshold", "nan", "a number from 0 (the filter's own) to 1,000, such as spam_"),
        ("spam_discard_threshold", "-1", "from 0 (off) to 1,000, such as spam_discard_threshold="),
        ("emergency", "maybe", "emergency=maybe: must be true or false"),
        ("personalize", "x" * 500, f"personalize={'x' * 60}...: must be one of individual, none"),
        ("moderator_password", "in the clear", "must be given as its hash"),
        ("header_match+", "x", "did you mean 'header_matches'"),
    ],
)
def test_what_is_wrong_is_said(name: str, text: str, words: str) -> None:
    """A wrong value is refused in one line that names the setting and the remedy."""
    with pytest.raises(Refused, match=re.escape(words)):
        typed(name, text, header_matches=("hold Subject: x",))


@pytest.mark.parametrize("name", ["max_message_size", "spam_discard_threshold", "max_days_to_hold"])
def test_a_number_is_taken_back_with_nothing(name: str) -> None:
    """As a text is: what is in force then is the default."""
    assert typed(name, " ", **{name: 7}) == getattr(ListSettings(), name)


def test_values_are_added_and_taken_away_one_by_one() -> None:
    """+= adds what is not there, -= takes away what is, as it is typed."""
    old = ("hold Subject: a", "discard X-Spam: yes")
    more = typed("header_matches+", "reject Subject: b\nSubject: a", header_matches=old)
    assert more == (*old, "reject Subject: b")
    assert typed("header_matches-", "discard X-Spam: yes", header_matches=old) == old[:1]
    assert typed("header_matches-", "1", header_matches=old) == old[1:]
    bans = (key("ann@example.org"), "@evil.example")
    assert typed("bans-", "ANN@example.org", bans=bans) == bans[1:]
    assert typed("bans-", key("ann@example.org")[:13], bans=bans) == bans[1:]
    assert typed("bans-", "bob@example.org", bans=bans) == bans
    assert typed("bans-", f"@evil.example\n{bans[0][:9]}", bans=bans) == ()
    assert typed("bans+", "bob@example.org", bans=bans) == (*bans, key("bob@example.org"))


def test_numbers_are_those_that_were_shown_before_the_command() -> None:
    """However many are taken away, and whatever is added: an owner reads them off one page."""
    old = ("hold Subject: a", "hold Subject: b", "hold Subject: c")
    assert typed("header_matches-", "1\n2", header_matches=old) == old[2:]
    changes = {"header_matches-": "1\nSubject: b", "header_matches+": "Subject: d"}
    for order in (list(changes), list(changes)[::-1]):
        typed_so = {word: changes[word] for word in order}
        found = parse(typed_so, ListSettings(header_matches=old), AROUND)
        assert found["header_matches"] == (old[2], "hold Subject: d")


def test_what_is_refused_now_can_be_taken_away() -> None:
    """An older release took patterns that mean everybody."""
    assert typed("bans-", "^", bans=("^", "@evil.example")) == ("@evil.example",)
    old = ("hold Subject: .*",)
    assert typed("header_matches-", "hold Subject: .*", header_matches=old) == ()


def test_every_number_has_a_word_for_nothing() -> None:
    """A 0 is shown, and asked for, as what it means."""
    numbers = {name for name, kind in settings.TYPES.items() if kind in (int, float)}
    assert settings.NOTHING.keys() == numbers


def test_changes_of_one_setting_follow_each_other() -> None:
    """What is given in one command is done in its order."""
    changes = {"bans": "@a.example", "bans+": "@b.example", "bans-": "@a.example"}
    assert parse(changes, ListSettings(), AROUND) == {"bans": ("@b.example",)}


def test_settings_are_typed_as_they_are_shown() -> None:
    """What `list show --json` prints of a value can be given again."""
    entries = (key("ann@example.org"), "@evil.example", "^x")
    assert typed("bans", " ".join(entries)) == entries


def test_a_password_is_kept_as_a_hash_and_never_shown() -> None:
    """Not even its hash is."""
    kept = approval.hashed("correct horse", bytes(16))
    assert typed("moderator_password", kept) == kept
    assert typed("moderator_password", "", moderator_password=kept) == ""
    assert shown(ListSettings(moderator_password=kept)).moderator_password == "(set)"
    assert shown(ListSettings()).moderator_password == ""
