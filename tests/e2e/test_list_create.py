"""`postroad list`: the mailbox decides which addresses a list can have."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.installation import Installation

pytestmark = pytest.mark.e2e
SETTINGS = """
[[domain]]
name = "gmail.com"
[[source]]
profile = "gmail"
host = "127.0.0.1"
user = "ourclub@gmail.com"
password_file = "password"
"""


def test_a_list_never_names_an_address_of_somebody_else(tmp_path: Path) -> None:
    """At a mailbox's own address where only plus addresses arrive, a list has those; dash is
    refused, when it is made and later. Behind a plus, dash is as good."""
    with Installation.at(tmp_path, mail=False, settings=SETTINGS) as ours:
        refused = ours.run("list", "create", "ourclub@gmail.com", "sub_address=dash")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "ourclub-join@gmail.com" in refused.stderr
        assert "use sub_address=plus" in refused.stderr
        made = ours.run("list", "create", "OurClub@gmail.com", "--json")
        assert made.returncode == 0
        assert '"sub_address": "plus"' in made.stdout
        assert "has sub_address=plus" in made.stderr
        refused = ours.run("list", "set", "ourclub@gmail.com", "sub_address=dash")
        assert refused.returncode == 2
        tagged = ours.json("list", "create", "ourclub+team@gmail.com")
        assert tagged["settings"]["sub_address"] == "dash"


def test_a_list_that_no_mail_reaches_is_made_with_a_warning(tmp_path: Path) -> None:
    """The list is there and stdout is as ever; stderr says that its mail cannot arrive, and what
    helps. So it is with mail to owners that nobody gets."""
    with Installation.at(tmp_path, mail=False, settings=SETTINGS) as ours:
        made = ours.run("list", "create", "other@gmail.com")
        assert (made.returncode, made.stdout) == (0, "created the list other@gmail.com\n")
        warning, hint = made.stderr.splitlines()
        assert "warning: mail for other@gmail.com cannot arrive" in warning
        assert "ourclub+NAME@gmail.com" in warning
        assert hint.startswith("postroad: nobody gets mail to other-owner@gmail.com yet: ")
        assert "postroad member add other@gmail.com YOU --role owner --confirmed" in hint
        ours.config.write_text(ours.config.read_text().replace("gmail.com", "example.net"))
        made = ours.run("list", "create", "team@gmail.com")
        assert (made.returncode, "[[domain]]" in made.stderr) == (0, True)


def test_settings_are_shown_as_they_are_typed(tmp_path: Path) -> None:
    """What `list show` prints can be given to `list set`."""
    with Installation.at(tmp_path, mail=False) as ours:
        ours.json("list", "create", "team@lists.example.org", "send_welcome_message=false")
        shown = ours.run("list", "show", "team@lists.example.org").stdout
        rows = dict(line.split(None, 1) for line in shown.splitlines() if len(line.split()) > 1)
        assert rows["send_welcome_message"].strip() == "false"
        assert rows["send_goodbye_message"].strip() == "true"
        for name in ("footer", "moderator_password", "bans"):
            assert rows[name].strip() == "(none)"
        assert rows["spam_threshold"].strip() == "(the filter's own)"
        assert rows["spam_discard_threshold"].strip() == "(off)"


def test_a_command_that_succeeds_has_nothing_to_say_on_stderr(tmp_path: Path) -> None:
    """Neither has a library of ours, when a Python ends that had membership in it."""
    with Installation.at(tmp_path, mail=False) as ours:
        done = subprocess.run(
            ours.command("list", "ls"), capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout.startswith("address")
        assert done.stderr == ""


def test_what_is_too_long_is_said_before_membership_is_asked(tmp_path: Path) -> None:
    """A text by its limit, a whole command by the broker's."""
    team = "team@lists.example.org"
    (tmp_path / "long").write_text("x" * 2_000_000)
    with Installation.at(tmp_path, mail=False) as ours:
        ours.json("list", "create", team)
        for words, told in (
            ([f"footer=@{tmp_path}/long"], "the text is too long; footer takes at most 4,000"),
            ([f"bans+={'x' * 120_000}"] * 10, "more than the 1,024 KB that one command may have"),
        ):
            refused = ours.run("list", "set", team, *words)
            assert (refused.returncode, refused.stdout) == (2, "")
            assert told in refused.stderr


def test_values_are_added_and_taken_away_one_by_one(tmp_path: Path) -> None:
    """What is shown is numbered, and what it names is nobody's address; a wrong one changes
    nothing and says why."""
    team = "team@lists.example.org"
    with Installation.at(tmp_path, mail=False) as ours:
        ours.json("list", "create", team)
        ours.json(
            *("list", "set", team, "bans+=eve@evil.example", "bans+=@spam.example"),
            *("header_matches+=discard X-Spam-Flag: ^yes", r"header_matches+=Subject: ^\[ad\]"),
        )
        shown = ours.run("list", "show", team).stdout
        assert "1. discard X-Spam-Flag: ^yes" in shown
        assert r"2. hold Subject: ^\[ad\]" in shown
        assert "eve" not in shown
        settings = ours.json(*("list", "set", team, "bans-=eve@evil.example", "header_matches-=1"))[
            "settings"
        ]
        assert settings["bans"] == ["@spam.example"]
        assert settings["header_matches"] == [r"hold Subject: ^\[ad\]"]
        refused = ours.run("list", "set", team, "header_matches+=hold Subject: (?=x)")
        assert refused.returncode == 2
        assert "has look-ahead, which is not supported" in refused.stderr
        ours.config.write_text(
            ours.config.read_text().replace("[site]", '[site]\nheader_checks = ["hold Subject: ("]')
        )
        checked = ours.run("config", "check")
        assert checked.returncode == 2
        assert "[site] header_checks: the pattern ( is no pattern: missing )" in checked.stderr
