"""The addresses around a list."""

from __future__ import annotations

import pytest

from postroad.mail.addresses import Form, Match, SubAddress, around_token, match, sub_address

LISTS = {
    "team@example.org": "team",
    "team-request@example.org": "requests",
    "c++@example.org": "cpp",
    "~user/dev@example.org": "dev",
    "announcements-of-the-whole-company@example.org": "announcements",
}
SUBS: tuple[SubAddress, ...] = ("owner", "bounces", "join", "leave", "confirm", "request")


@pytest.mark.parametrize("form", ["dash", "plus"])
@pytest.mark.parametrize("sub", SUBS)
@pytest.mark.parametrize("token", ["", "mfzwizltoruw4z3u"])
def test_what_is_written_is_read(form: Form, sub: SubAddress, token: str) -> None:
    """Every sub-address we generate comes back as the same list, meaning and token."""
    for address, slug in LISTS.items():
        if slug == "team" and sub == "request" and form == "dash":
            continue  # the list team-request has that address
        written = sub_address(address, sub, form, token)
        found = match(written.upper(), LISTS)
        long_name = token and slug == "announcements"
        if long_name and sub in ("owner", "join", "request"):
            continue  # no token is ever put there
        assert found == Match("" if long_name else slug, sub, token)
        assert len(written.rpartition("@")[0]) <= 64


@pytest.mark.parametrize(
    ("recipient", "meant"),
    [
        ("TEAM@Example.ORG", Match("team")),
        ("team+newsletter@example.org", Match("team")),
        ("team+x-owner@example.org", Match("team")),
        ("team-request@example.org", Match("requests")),
        ("team-request+x@example.org", Match("requests")),
        ("team-request-owner@example.org", Match("requests", "owner")),
        ("team-subscribe@example.org", Match("team", "join")),
        ("team-unsubscribe@example.org", Match("team", "leave")),
        ("team-editor@example.org", Match("team", "owner")),
        ("team+subscribe@example.org", Match("team", "join")),
        ("team+subscribe-digest@example.org", Match("team", "join", "digest")),
        ("team+unsubscribe@example.org", Match("team", "leave")),
        ("team+help@example.org", Match("team", "help")),
        ("team+faq@example.org", Match("team", "help")),
        ("team+get-12@example.org", Match("team", "get", "12")),
        ("~user/dev+subscribe@example.org", Match("dev", "join")),
        ("team-bounces+ada=home.org@example.org", Match("team", "bounces", "ada=home.org")),
        ("team-bounces+ada+x=home.org@example.org", Match("team", "bounces", "ada+x=home.org")),
        ("c++@example.org", Match("cpp")),
        ("c+++owner@example.org", Match("cpp", "owner")),
        ("c++-leave+token@example.org", Match("cpp", "leave", "token")),
        ('"team-owner"@example.org', Match("team", "owner")),
        ("team-other@example.org", None),
        ("team@example.com", None),
        ("team-owner@example.com", None),
        ("bounces+token@example.com", None),
        ("postmaster@example.org", None),
        ("-owner@example.org", None),
        ("not an address", None),
    ],
)
def test_recipient_is_matched(recipient: str, meant: Match | None) -> None:
    """The full address wins, then the sub-address in any form seen, then the address less tag."""
    assert match(recipient, LISTS) == meant


def test_list_without_sub_addresses_has_only_its_own() -> None:
    """With the form `none` every address generated is the list's, and no token is put in it."""
    assert {sub_address("team@example.org", sub, "none", "token") for sub in SUBS} == {
        "team@example.org"
    }
    assert around_token("team@example.org", "bounces", "none") == ("team@example.org", "")


def test_long_names_leave_room_for_the_token() -> None:
    """A local part over 64 octets is refused by servers: the name gives way to the token."""
    long = "announcements-of-the-whole-company@example.org"
    assert around_token(long, "bounces", "dash") == ("bounces+", "@example.org")
    assert around_token("team@example.org", "bounces", "dash") == ("team-bounces+", "@example.org")
    assert around_token("team@example.org", "bounces", "plus") == ("team+bounces-", "@example.org")
