"""What a domain gets besides the mail of its lists."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.roles import ROLES, roles, strays

LISTS = {"team@one.org": "team", "abuse@two.org": "abuse"}
DOMAINS = ("one.org", "two.org")


def test_mail_to_whoever_runs_a_domain() -> None:
    """By the names that RFC 2142 and list managers have for them, in any case, with or without a
    tag; each domain once."""
    to = ["Postmaster@ONE.org", "abuse@one.org", "listmaster+x@two.org", "mailman@two.org"]
    assert roles(to, LISTS, DOMAINS) == ("one.org", "two.org")


def test_a_list_of_such_a_name_keeps_its_mail() -> None:
    """And so do its other addresses."""
    assert roles(["abuse@two.org", "abuse-owner@two.org"], LISTS, DOMAINS) == ()


def test_other_domains_are_not_ours() -> None:
    """Neither their people nor their strays are reached."""
    assert roles(["postmaster@three.org"], LISTS, DOMAINS) == ()
    assert strays(["x@three.org", "x@two.org"], LISTS, ("one.org",)) == ()


def test_a_stray_is_of_no_list() -> None:
    """A token that looks like one of ours is none either."""
    to = ["x@one.org", "team+tag@one.org", "team-join@one.org", "abuse@two.org", "no address"]
    assert strays(to, LISTS, DOMAINS) == ("one.org",)
    assert strays(["bounces+abc@one.org"], LISTS, DOMAINS) == ()


@given(st.lists(st.text(max_size=20) | st.sampled_from(sorted(ROLES)).map("{}@one.org".format)))
def test_any_addresses_will_do(addresses: list[str]) -> None:
    """They come from headers, which anybody writes."""
    for found in roles(addresses, LISTS, DOMAINS):
        assert found in DOMAINS
    assert set(strays(addresses, LISTS, DOMAINS)) <= set(DOMAINS)
