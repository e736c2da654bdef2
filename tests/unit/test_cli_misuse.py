"""Options that cannot be what they were given."""

from __future__ import annotations

import pytest

from postroad.cli.app import app
from postroad.cli.frame import run


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("member ls L --role king", "--role king: must be one of member, owner, moderator"),
        ("member add L a@b.org --role=", "--role (empty): must be one of member, owner"),
        ("post ls --limit 0", "--limit 0: must be a whole number from 1 to 10,000, such as 20"),
        ("post ls --limit abc", "--limit abc: must be a whole number from 1 to 10,000, such as"),
        ("post ls --limit", "Option '--limit' requires an argument"),
        ("member add", "Missing argument 'LIST'"),
    ],
)
def test_a_wrong_option_is_told_in_plain_words(
    capsys: pytest.CaptureFixture[str], words: str, told: str
) -> None:
    """Which option, what was given, and what it must be; nothing of how it was read."""
    assert run(app, words.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"postroad: {told}")
    assert "--help)" in said
    assert "Input" not in said
