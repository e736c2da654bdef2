"""Tokens in addresses."""

from __future__ import annotations

import pytest

from postroad.mail.addresses import around_token, match
from postroad.mail.tokens import (
    LEAVE_CHARS,
    VERP_CHARS,
    TokenMaker,
    address_key,
    bounce_sender,
)

KEY = bytes(range(32))
PERSON = "0123456789abcdef01234567"
MAKER = TokenMaker(KEY)


@pytest.mark.parametrize(("post", "recipient"), [(0, 0), (1, 2), ((1 << 48) - 1, (1 << 32) - 1)])
def test_verp_token_survives_case_folding(post: int, recipient: int) -> None:
    """Whatever case a server makes of it, the token says which copy came back."""
    token = MAKER.verp_token("team", post, recipient)
    assert len(token) == VERP_CHARS
    assert token == token.lower()
    assert MAKER.read_verp("team", token) == (post, recipient)
    assert MAKER.read_verp("team", token.upper()) == (post, recipient)
    assert TokenMaker(KEY).read_verp("team", token) == (post, recipient)


def test_leave_token_names_the_person() -> None:
    """The leave token carries the whole person id."""
    token = MAKER.leave_token("team", PERSON)
    assert len(token) == LEAVE_CHARS
    assert MAKER.read_leave("team", token.upper()) == PERSON


def test_token_of_one_list_key_or_purpose_is_none_of_another() -> None:
    """The MAC is bound to key, purpose and list."""
    token = MAKER.verp_token("team", 7, 8)
    assert MAKER.read_verp("tea", token) is None
    assert TokenMaker(bytes(32)).read_verp("team", token) is None
    leave = MAKER.leave_token("team", PERSON)
    assert MAKER.read_leave("other", leave) is None
    assert MAKER.read_verp("team", leave) is None
    assert MAKER.read_verp("team", leave[:VERP_CHARS]) is None


def test_no_character_can_be_changed() -> None:
    """Every one of the 29 characters counts, the last one's spare bit too."""
    token = MAKER.verp_token("team", 7, 8)
    for at in range(VERP_CHARS):
        for other in "abcdefghijklmnopqrstuvwxyz234567":
            changed = token[:at] + other + token[at + 1 :]
            assert changed == token or MAKER.read_verp("team", changed) is None


@pytest.mark.parametrize(
    "token", ["", "a", "0" * 29, "é" * 29, "a" * 28, "a" * 30, "=" * 29, "ſ" * 29]
)
def test_nonsense_is_no_token(token: str) -> None:
    """Nothing that is no token raises."""
    assert MAKER.read_verp("team", token) is None
    assert MAKER.read_leave("team", token) is None


@pytest.mark.parametrize("person", ["", "xyz", PERSON[:-2], PERSON + "00"])
def test_person_must_be_an_id(person: str) -> None:
    """A token is made for 24 hex digits or not at all."""
    with pytest.raises(ValueError):
        MAKER.leave_token("team", person)


def test_bounce_comes_back_to_its_copy() -> None:
    """The envelope sender fits 64 octets, and a bounce to it is matched and read."""
    address = "announcements-all-staff@example.org"
    for form in ("dash", "plus"):
        around = around_token("team@example.org", "bounces", form)
        sender = bounce_sender(around, MAKER.verp_token("team", 7, 8))
        found = match(sender.upper(), {"team@example.org": "team"})
        assert found is not None
        assert MAKER.read_verp(found.slug, found.token) == (7, 8)
        around = around_token(address, "bounces", form)
        assert len(bounce_sender(around, "a" * VERP_CHARS).partition("@")[0]) <= 64
    assert bounce_sender(("team@example.org", ""), "token") == "team@example.org"


def test_address_key_tells_nothing() -> None:
    """The key is the same for the same address and site only, and not the bare hash."""
    assert address_key(KEY, "ada@example.org") == address_key(KEY, "ada@example.org")
    assert address_key(KEY, "ada@example.org") != address_key(bytes(32), "ada@example.org")
    assert len(address_key(KEY, "jörg@example.org")) == 64
