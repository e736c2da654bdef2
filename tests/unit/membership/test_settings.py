"""Settings as owners type them: added to, taken from, refused with the reason."""

from __future__ import annotations

import re

import pytest

from postroad.mail import approval, senders
from schemas.lists import ListSettings
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
    settings = ListSettings(**old)  # type: ignore[arg-type]
    (value,) = parse({name: text}, settings, AROUND).values()
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
        ("header_matches-", "3", "there is no number 3, there are 1 of them"),
        ("description+", "x", "description has one value, set it with description="),
        ("max_num_recipients", "-1", "must be 0 (no limit) or more"),
        ("max_message_size", "40KB", "max_message_size=40KB: "),
        ("spam_threshold", "nan", "must be from 0 to 1,000"),
        ("spam_threshold", "-1", "must be from 0 to 1,000"),
        ("emergency", "maybe", "emergency=maybe: "),
        ("moderator_password", "in the clear", "must be given as its hash"),
        ("header_match+", "x", "did you mean 'header_matches'"),
    ],
)
def test_what_is_wrong_is_said(name: str, text: str, words: str) -> None:
    """A wrong value is refused in one line that names the setting and the remedy."""
    with pytest.raises(Refused, match=re.escape(words)):
        typed(name, text, header_matches=("hold Subject: x",))


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
    assert typed("bans+", "bob@example.org", bans=bans) == (*bans, key("bob@example.org"))


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
