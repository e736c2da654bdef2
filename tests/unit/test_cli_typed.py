"""Settings as they are typed, before they leave the command line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from postroad.cli.ask import pairs
from postroad.cli.typed import texts
from postroad.mail import approval
from postroad.runtime.errors import UsageError

PASSWORD = "correct horse"


def test_a_password_leaves_as_a_hash_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a file or from standard input; salted anew each time; empty takes it away."""
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\nnot this\n"))
    given = [
        texts({"moderator_password": text})["moderator_password"] for text in (f"@{file}", "-")
    ]
    assert given[0] != given[1]
    assert all(approval.is_right(PASSWORD, each) for each in given)
    assert texts({"moderator_password": ""}) == {"moderator_password": ""}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PASSWORD, "on the command line others could read it"),
        ("@/nowhere", "cannot be read"),
        ("-", "one line of 8 to 200 characters"),
    ],
)
def test_a_password_is_refused_without_being_repeated(
    text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where others could see it, and where it is too short; the message does not hold it."""
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    with pytest.raises(UsageError, match=words) as caught:
        texts({"moderator_password": text})
    assert PASSWORD not in str(caught.value)
    assert "short" not in str(caught.value).replace("shorter", "")


def test_header_matches_come_from_a_file(tmp_path: Path) -> None:
    """All of them, or more of them; a backslash in a pattern stays one."""
    file = tmp_path / "matches"
    file.write_text("hold Subject: a\ndiscard X-Spam: \\n\n")
    for word in ("header_matches", "header_matches+"):
        assert texts({word: f"@{file}"}) == {word: "hold Subject: a\ndiscard X-Spam: \\n\n"}
    assert texts({"header_matches+": r"Subject: \new"}) == {"header_matches+": r"Subject: \new"}
    assert texts({"footer": r"one\ntwo"}) == {"footer": "one\ntwo"}
    assert texts({"accept_these_nonmembers+": "@board"}) == {"accept_these_nonmembers+": "@board"}


def test_what_is_added_may_be_given_several_times() -> None:
    """Each on a line; another setting only once."""
    words = ("bans+=a@example.net", "bans+=@evil.example", "bans-=b@example.net", "emergency=true")
    assert pairs(words, example="") == {
        "bans+": "a@example.net\n@evil.example",
        "bans-": "b@example.net",
        "emergency": "true",
    }
    with pytest.raises(UsageError, match="emergency is given twice"):
        pairs((*words, "emergency=false"), example="")
