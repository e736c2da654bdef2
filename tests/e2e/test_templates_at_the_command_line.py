"""An owner writes their own welcome, at the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.installation import Installation

pytestmark = pytest.mark.e2e
TEAM = "team@lists.example.org"


def test_a_welcome_is_shown_changed_and_looked_at(tmp_path: Path) -> None:
    """What is shown can be set; a preview shows the letter, and what is wrong is refused by
    name."""
    text = tmp_path / "welcome.txt"
    with Installation.at(tmp_path, mail=False) as ours:
        ours.json("list", "create", TEAM)
        shown = ours.run("template", "show", TEAM, "welcome").stdout
        assert shown.startswith("Subject: Welcome to {name}\n\nYou are on the mailing list")
        text.write_text(shown.replace("Good to have you.", "Hello {address}!"))
        assert ours.run("template", "set", TEAM, "welcome", str(text)).stdout == "welcome: set\n"
        preview = ours.run("template", "preview", TEAM, "welcome").stdout
        assert preview.startswith("From: Team <team-owner@lists.example.org>\nSubject: Welcome to")
        assert "Hello ann@example.net!" in preview
        text.write_text("Hello {adress}!")
        wrong = ours.run("template", "set", TEAM, "welcome", str(text))
        assert wrong.returncode == 2
        assert wrong.stderr == (
            "postroad: welcome: there is no {adress} in the letter welcome; "
            "did you mean {address}?\n"
        )
