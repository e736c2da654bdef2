"""What a moderator's reply decides: a clear word in the first line they wrote, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.membership.moderation.decider import Verdict
from services.membership.moderation.words import by_program, verdict

ACCEPT = Verdict(word="accept")
ALWAYS = Verdict(word="accept", always=True)
DISCARD = Verdict(word="discard")
NOTICE = "\n\nOn 9 March 2026 Team wrote:\n> discard: it goes nowhere\n> Subject: accept\n"


LONG = "Please send it once more, without the large file that you"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("accept", ACCEPT),
        ("  Accept.  ", ACCEPT),
        ("*ACCEPT*", ACCEPT),
        ("<accept>", ACCEPT),
        ("always", ALWAYS),
        ("accept, always", None),
        ("accept always!", ALWAYS),
        ("discard", DISCARD),
        ("reject", Verdict(word="reject")),
        ("Reject: no files, please.", Verdict(word="reject", reason="no files, please.")),
        ("reject no files", Verdict(word="reject", reason="no files")),
        (
            f"reject {LONG}\nput in front.\n\nBob",
            Verdict(word="reject", reason=f"{LONG} put in front."),
        ),
        (f"reject {LONG} {LONG}\nBob", Verdict(word="reject", reason=f"{LONG} {LONG} Bob")),
        ("reject You are not\nBob", Verdict(word="reject", reason="You are not")),
        (f"reject {LONG}\n\nput in front.", Verdict(word="reject", reason=LONG)),
    ],
)
def test_a_clear_word_decides(line: str, expected: Verdict | None) -> None:
    """In any case, dress and punctuation; a reject takes the rest of its line as its reason, and of
    the lines that a mail program broke it into."""
    assert verdict(line) == expected
    assert verdict(f"\n\n{line}\n\nBest, Eve{NOTICE}") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        NOTICE,
        "> accept\n",
        "| accept\n",
        ">accept\n> discard",
        "Accept my apologies, I am away until Monday.",
        "I accept",
        "Please accept it",
        "accepted",
        "accept or discard?",
        "discard not",
        "rejected",
        "always on the road in March",
        "I am away.\naccept\n",
        "Hello,\n\naccept",
        "From: Team\naccept",
        "-----Original Message-----\naccept",
        "\u0430ccept",
    ],
)
def test_anything_else_decides_nothing(text: str) -> None:
    """Quotations, sentences, words below the first line, and words that only look like one."""
    assert verdict(text) is None


@pytest.mark.parametrize(
    ("subject", "text", "program"),
    [
        ("Automatic reply: A mail to Team waits", "Accept!\n\nI am away until Monday.", True),
        ("Automatische Antwort: A mail to Team waits", "Accept!", True),
        ("Undeliverable: A mail to Team waits", "discard", True),
        ("Re: A mail to Team waits", "I am out of the office until Monday.", True),
        ("Re: A mail to Team waits", "accept\n\nI am out of the office until Monday.", False),
        ("AW: A mail to Team waits", "accept", False),
    ],
)
def test_a_program_is_told_from_a_moderator(subject: str, text: str, program: bool) -> None:
    """By what the automatic rule knows of subjects, whatever the first line says; by its text
    only where that begins with no verdict."""
    assert by_program(subject, text) is program


@given(st.text())
def test_no_text_makes_it_fail(text: str) -> None:
    """Whatever a mail says; and a verdict's reason is one printable line."""
    found = verdict(text)
    assert found is None or (found.reason.isprintable() and len(found.reason) <= 500)
    by_program(text, text)
