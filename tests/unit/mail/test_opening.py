"""What a post begins with: a password, a command, or words for its readers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.opening import opening

LONG = "A line of a text that goes on and on.\n" * 8


def begins(text: str, subject: str = "Tea") -> str:
    """What a mail of this text begins with."""
    return opening(b"Subject: x\r\n\r\n" + text.encode(), subject)


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Tea", "unsubscribe"),
        ("Tea", "Unsubscribe.\n\n-- \nAnn, of many titles\nand a telephone"),
        ("Tea", "unsubscribe team"),
        ("Tea", "Please unsubscribe me"),
        ("Tea", "Hi,\nplease take me off this list\nthanks\nAnn"),
        ("Tea", "subscribe ann@example.org"),
        ("Tea", "set mail off"),
        ("Tea", "set myposts off"),
        ("Tea", "unsubscribe\n\nOn 9 March 2026 Bob wrote:\n> " + LONG.replace("\n", "\n> ")),
        ("unsubscribe", LONG),
        ("[Team] UNSUBSCRIBE", "Sent from my telephone"),
        ("help", ""),
        ("", "help"),
        ("Re: Tea", "remove"),
        ("who", "who\nhelp"),
    ],
)
def test_a_command_to_everybody_is_told(subject: str, text: str) -> None:
    """What people send to a list when they want to leave it is a command, however they say it."""
    assert begins(text, subject) == "command"


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Tea", "Anyone?"),
        ("Help", "My build fails.\nWho knows why?"),
        ("Re: unsubscribe", "Write to team-leave@ for that."),
        ("How to unsubscribe", "Does anyone know?"),
        ("Tea", "Leave it.\nIt was a bad idea"),
        ("Tea", "Subscribe to my channel"),
        ("Tea", "Sign me up"),
        ("Tea", "set a good example"),
        ("Tea", "Who\nwants tea?"),
        ("Tea", LONG + "unsubscribe"),
        ("Tea", "> unsubscribe\nDo not write that to everybody."),
        ("Tea", "Bye\n-- \nunsubscribe"),
        ("Confirm", "See you at 10."),
    ],
)
def test_what_people_say_to_each_other_is_none(subject: str, text: str) -> None:
    """Words that are commands elsewhere are no commands within a sentence, a quotation, a long
    text or a signature."""
    assert begins(text, subject) == ""


def test_a_password_in_the_first_line_is_told() -> None:
    """The first line that is not empty counts, whatever else the mail is."""
    assert begins("\n \nApproved: secret\nunsubscribe") == "approval"
    assert begins("Hello\nApproved: secret") == ""


@given(st.binary(max_size=500), st.text(max_size=50))
def test_any_bytes_begin_with_something(data: bytes, subject: str) -> None:
    """No octets make it raise."""
    assert opening(data, subject) in ("", "approval", "command")
