"""Commands as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.commandwords import Word
from services.membership.requests.words import LINES, Request, read

TOKEN = "abcdefghijklmnopqrstuvwxy2"
LEAVE = "abcdefghijklmnopqrstuvwxyz234567"


def the(subject: str, body: str = "") -> Word:
    """The one command of a mail to the list team."""
    (word,) = read(subject, body, {"team"}).words
    return word


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("help", "help"),
        ("HELP", "help"),
        ("Help set", "help"),
        ("join", "join"),
        ("Subscribe", "join"),
        ("subscribe please", "join"),
        ("subscribe team Anna Berg", "join"),
        ("join digest=no", "join"),
        ("SUB team Anna Berg", "join"),
        ("leave", "leave"),
        ("unsubscribe", "leave"),
        ("unsubscribe team", "leave"),
        ("SIG team", "leave"),
        ("signoff team", "leave"),
        ("Please", None),
        ("set mail off", "mail_off"),
        ("set delivery off", "mail_off"),
        ("set nomail", "mail_off"),
        ("SET team NOMAIL", "mail_off"),
        ("set nomail on", "mail_off"),
        ("set nomail off", "mail_on"),
        ("set mail on", "mail_on"),
        ("set delivery on", "mail_on"),
        ("set team mail", "mail_on"),
        ("set digest", None),
        ("set", None),
        ("which", "which"),
        ("Which one of you has my umbrella?", None),
        ("echo hello", "echo"),
        ("leave me a note in the kitchen", None),
        ("Help! My mail is broken and I do not know why", None),
        ('"join"', "join"),
        ("<help>", "help"),
        ("* subscribe *", "join"),
        (f"confirm {TOKEN}", "confirm"),
        ("confirm", None),
        ("who", None),
    ],
)
def test_a_line_is_a_command_or_is_none(line: str, name: str | None) -> None:
    """In the Subject or in the text the same words are commands; ordinary sentences are not."""
    names = [word.name for word in read(line, "", {"team"}).words]
    assert names == ([name] if name else [])
    assert [word.name for word in read("", f"\n\n{line}\n", {"team"}).words] == names


@pytest.mark.parametrize("before", ["Re: ", "RE: Re: ", "AW: ", "Fwd: ", "[Team] Re: ", "Re[2]: "])
def test_replies_and_tags_before_a_subject_do_not_matter(before: str) -> None:
    """What mail programs and lists put before a Subject is not part of the command."""
    assert the(f"{before}confirm {TOKEN}") == Word(name="confirm", token=TOKEN)


def test_what_a_reply_quotes_is_not_obeyed() -> None:
    """A reply to the help text, which lists every command, asks for nothing; but a quoted
    `confirm` with its token counts."""
    quoted = f"> leave\n> set mail off\n| help\n> > confirm {TOKEN}\n"
    assert read("", quoted).words == (Word(name="confirm", token=TOKEN),)
    assert read("", "> leave\n") == Request()


def test_commands_end_where_they_are_told_to() -> None:
    """Nothing after `end`, `stop` or a signature is obeyed, nor after ten lines of text."""
    for end in ("end", "STOP", "quit", "-- "):
        assert [word.name for word in read("help", f"which\n{end}\nleave\n").words] == [
            "help",
            "which",
        ]
    assert not read("", "hello\n" * LINES + "leave\n").words
    assert read("", "hello\n" * (LINES - 1) + "leave\n").words


def test_who_says_nothing_is_not_strange() -> None:
    """An empty mail and one that only says `end` are no cause to complain."""
    assert not read("", "").strange
    assert not read("", "end\n").strange
    assert read("hello", "").strange
    assert not read("hello", "help\n").strange


def test_each_command_counts_once() -> None:
    """A command given twice is one command, in the order of the first."""
    found = read("help", "which\nHELP\nwhich\n").words
    assert [word.name for word in found] == ["help", "which"]


def test_addresses_are_named() -> None:
    """Addresses in a command are kept, whatever form older systems gave them."""
    assert the("join address=Eve@Example.com").addresses == ("eve@example.com",)
    assert the("subscribe team <eve@example.com>").addresses == ("eve@example.com",)
    assert the("leave eve@example.com").addresses == ("eve@example.com",)


def test_an_address_is_kept_as_it_was_written() -> None:
    """To its own server upper and lower case may differ, and sharp s is not two letters; twice is
    once all the same."""
    (word,) = read(
        "SET ADDRESS <Anna.Straße@New.example>", "set address anna.straße@new.example"
    ).words
    assert word.addresses == ("Anna.Straße@New.example",)


@pytest.mark.parametrize(
    "line",
    [
        "set address a@new.example",
        "Please change address to <a@new.example>",
        "SET ADDRESS = a@new.example",
    ],
)
def test_a_new_address_is_named(line: str) -> None:
    """Where mail is to go stands behind the command; without it there is none."""
    assert the(line) == Word(name="move", addresses=("a@new.example",))
    assert not read("", line.rpartition(" ")[0]).words


def test_a_language_is_told_by_its_tag() -> None:
    """Whatever its case, also behind the name of the list; more words are no command."""
    for line in ("set language de", "Please set language DE", "set team language de"):
        assert the(line) == Word(name="language", language="de")
    assert read("", "set language").strange
    assert read("", "set language to German").strange


def test_a_leave_token_is_told_from_a_name() -> None:
    """`leave TOKEN` brings a token; any other word is the name of a list."""
    assert the(f"leave {LEAVE}").token == LEAVE
    assert not the("leave team").token


@given(st.text(), st.text())
def test_any_mail_can_be_read(subject: str, body: str) -> None:
    """Whatever stands in a mail, reading it ends, finds few commands, and tokens of bounded
    length."""
    found = read(subject, body)
    assert len(found.words) <= LINES + 1
    assert all(len(word.token) <= 64 for word in found.words)


@given(st.lists(st.sampled_from(["help", "join", "leave", "which", "set mail off", "echo"])))
def test_case_does_not_matter(lines: list[str]) -> None:
    """Upper case, lower case and white space around a line mean the same."""
    body = "\n".join(lines)
    loud = "\n".join(f"  {line.upper()}\t" for line in lines)
    assert read("", body) == read("", loud)
