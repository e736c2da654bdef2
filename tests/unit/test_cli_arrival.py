"""Whether the mail of a list can arrive, judged from the settings alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from postroad.cli.arrival import awaited, obstacle, owner, owner_address, plus_only
from postroad.mail.addresses import Form
from postroad.runtime.config import Config

GMAIL = """
[[domain]]
name = "gmail.com"
[[source]]
profile = "gmail"
user = "Our.Club@gmail.com"
password_file = "password"
"""
OWN = """
[[domain]]
name = "example.org"
owner = "you@example.net"
[[domain]]
name = "example.net"
[[source]]
host = "imap.example.org"
user = "lists@example.org"
domain = "example.org"
password_file = "password"
"""
WORKSPACE = OWN.replace("imap.example.org", "imap.gmail.com")


def settings(home: Path, text: str) -> Config:
    """These settings, as the program reads them."""
    path = home / "postroad.toml"
    path.write_text(text)
    return Config.load(path, {})


@pytest.mark.parametrize(
    ("text", "address", "form", "expected"),
    [
        (GMAIL, "ourclub+team@gmail.com", "dash", ""),
        (GMAIL, "ourclub@gmail.com", "plus", ""),
        (GMAIL, "ourclub@gmail.com", "none", ""),
        (GMAIL, "ourclub@gmail.com", "dash", "ourclub-join@gmail.com"),
        (GMAIL, "other@gmail.com", "plus", "other@gmail.com, and at gmail.com it is somebody"),
        (GMAIL, "ourclub-team@gmail.com", "plus", "somebody else's"),
        (GMAIL, "team@example.org", "dash", "not in the settings"),
        (OWN, "team@example.org", "dash", ""),
        (OWN, "lists@example.org", "dash", ""),
        (OWN, "team@example.net", "dash", "no [[source]] reads mail for example.net"),
        (WORKSPACE, "team@example.org", "dash", ""),
        (WORKSPACE, "lists@example.org", "dash", "lists-join@example.org"),
        (WORKSPACE, "lists+team@example.org", "dash", ""),
    ],
)
def test_what_is_in_the_way(
    tmp_path: Path, text: str, address: str, form: Form, expected: str
) -> None:
    """A list is served where a mailbox gets its address and all that its letters name."""
    found = obstacle(settings(tmp_path, text), address, form)
    assert bool(found) is bool(expected)
    if found is not None:
        assert expected in found.what
        assert found.remedy


def test_a_mailbox_that_gets_only_plus_addresses(tmp_path: Path) -> None:
    """Gmail and Microsoft 365, told by profile or host, deliver plus addresses of a mailbox and
    no dash ones; what stands behind a plus already is the mailbox's either way."""
    gmail = settings(tmp_path, GMAIL)
    assert plus_only(gmail, "ourclub@gmail.com") == plus_only(gmail, "o.urclub@gmail.com")
    assert plus_only(gmail, "ourclub@gmail.com") == "gmail"
    assert plus_only(gmail, "ourclub+team@gmail.com") == ""
    assert plus_only(settings(tmp_path, WORKSPACE), "lists@example.org") == "gmail"
    assert plus_only(settings(tmp_path, OWN), "lists@example.org") == ""


def test_who_owns_a_list_without_owners(tmp_path: Path) -> None:
    """The owner of the domain, if the settings name one."""
    own = settings(tmp_path, OWN)
    assert owner(own, "team@example.org") == "you@example.net"
    assert owner(own, "team@example.net") == ""
    assert owner_address("team@example.org", "plus") == "team+owner@example.org"
    assert owner_address("team@example.org", "none") == "team-owner@example.org"


def test_a_source_for_one_list_reads_for_no_other(tmp_path: Path) -> None:
    """Nothing else of its domain arrives there; and the settings count on that list."""
    text = OWN.replace('domain = "example.org"', 'list = "Team@example.org"')
    bound = settings(tmp_path, text)
    assert obstacle(bound, "team@example.org", "dash") is None
    found = obstacle(bound, "news@example.org", "dash")
    assert found is not None
    assert "no [[source]] reads mail for example.org" in found.what
    assert awaited(bound) == {"team@example.org": '[[source]] "imap" list'}


def test_the_list_that_catches_all_is_counted_on(tmp_path: Path) -> None:
    """A word in its place is no list."""
    text = OWN.replace('name = "example.net"', 'name = "example.net"\ncatch_all = "x@example.net"')
    text = text.replace('owner = "you@example.net"', 'owner = "you@x.org"\ncatch_all = "owner"')
    assert awaited(settings(tmp_path, text)) == {
        "x@example.net": '[[domain]] "example.net" catch_all'
    }
