"""Settings as they are typed, before they leave the command line."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest

from postroad.cli.ask import pairs
from postroad.cli.typed import texts
from postroad.mail import approval
from postroad.runtime.errors import UsageError

PASSWORD = "correct horse"


def stdin(text: str) -> io.TextIOWrapper:
    """Standard input that holds this."""
    return io.TextIOWrapper(io.BytesIO(text.encode()))


def test_a_password_leaves_as_a_hash_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a file or from standard input; salted anew each time; empty takes it away."""
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    monkeypatch.setattr("sys.stdin", stdin(f"{PASSWORD}\n"))
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
        ("@/nowhere", "there is no file /nowhere"),
        ("@/dev/zero", "neither a file nor a pipe"),
        ("-short\n", "one line of 8 to 200 characters"),
        (f"-{PASSWORD}\nshort\n", "there are several lines; it must be one line of 8 to 200"),
        (f"-{PASSWORD * 100}", "one line of 8 to 200 characters"),
    ],
)
def test_a_password_is_refused_without_being_repeated(
    text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where others could see it, and where it is too short, too long or a line too many; the
    message does not hold it."""
    if text.startswith("-"):
        monkeypatch.setattr("sys.stdin", stdin(text[1:]))
    with pytest.raises(UsageError, match=words) as caught:
        texts({"moderator_password": "-" if text.startswith("-") else text})
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


def test_the_lines_above_a_wrapped_mail_come_from_a_file(tmp_path: Path) -> None:
    """As those of a header and a footer."""
    file = tmp_path / "lines"
    file.write_text("one\ntwo\n")
    assert texts({"dmarc_wrapped_message_text": f"@{file}"}) == {
        "dmarc_wrapped_message_text": "one\ntwo\n"
    }


def test_values_come_from_a_file_whose_path_has_a_slash(tmp_path: Path) -> None:
    """Without one @ is a domain or a list, as ever."""
    file = tmp_path / "bans"
    file.write_text("eve@example.net\n^[0-9]+@\n")
    assert texts({"bans+": f"@{file}"}) == {"bans+": "eve@example.net\n^[0-9]+@\n"}
    assert texts({"bans": "@evil.example"}) == {"bans": "@evil.example"}


@pytest.mark.parametrize(
    ("word", "content", "told"),
    [
        ("footer", "x" * 2_000_000, "the text is too long; footer takes at most 4,000 characters"),
        ("header", "x" * 4_001, "at most 4,000 characters, and there are 4,001"),
        ("header_matches+", "x" * 100_001, "it is longer than 100,000 octets"),
        ("bans", "x" * 100_001, "it is longer than 100,000 octets"),
        ("footer", "\udcff", "it is not text in UTF-8"),
        ("footer", None, "there is no file "),
    ],
)
def test_what_a_file_cannot_give_is_said(
    tmp_path: Path, word: str, content: str | None, told: str
) -> None:
    """The setting and the file are named, and what is too long is not read to its end."""
    file = tmp_path / "text"
    if content is not None:
        file.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(UsageError, match=told) as caught:
        texts({word: f"@{file}"})
    assert str(caught.value).startswith(f"{word}=@{file}: ")


def test_what_may_have_no_end_is_not_read(tmp_path: Path) -> None:
    """A device is refused, as is a folder; a pipe is read as far as its text may go."""
    for file, told in (("/dev/zero", "neither a file nor a pipe"), (tmp_path, "it is a folder")):
        with pytest.raises(UsageError, match=told):
            texts({"bans": f"@{file}"})
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as endless:
        assert endless.stdout is not None
        with pytest.raises(UsageError, match="too long"):
            texts({"footer": f"@/dev/fd/{endless.stdout.fileno()}"})
        endless.kill()


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
