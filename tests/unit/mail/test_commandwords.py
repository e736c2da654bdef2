"""The grammar of commands, in its two strengths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.commandwords import Word, exact, list_names, said, spoken

TOKEN = "abcdefghijklmnopqrstuvwxy2"
LEAVE = "abcdefghijklmnopqrstuvwxyz234567"
NAMES = list_names(["Team@Lists.Example.org", "crew@example.org"])

SETTINGS = [
    ("set mail on", "mail_on"),
    ("set mail off", "mail_off"),
    ("set myposts off", "own_off"),
    ("set duplicates on", "copies_on"),
    ("SET Delivery OFF", "mail_off"),
    ("set delivery on", "mail_on"),
    ("set nomail", "mail_off"),
    ("set nomail on", "mail_off"),
    ("set nomail off", "mail_on"),
    ("set on", "mail_on"),
    ("set off", "mail_off"),
    ("set team nomail", "mail_off"),
    ("SET crew@example.org MAIL", "mail_on"),
    ("set team@lists.example.org mail off", "mail_off"),
    ("SET team POSTPONE", "mail_off"),
    ("set team", None),
    ("set ack off", None),
    ("set digest off", None),
    ("set duplicates off", "copies_off"),
    ("set hide on", None),
    ("set noecho on", None),
    ("set other nomail", None),
    ("set team other nomail", None),
    ("set digest", None),
    ("set mail maybe", None),
    ("set", None),
    ("set mail off on", None),
]


@pytest.mark.parametrize(("line", "name"), SETTINGS)
def test_only_mail_and_copies_can_be_set(line: str, name: str | None) -> None:
    """`set` switches mail and copies where it says so about them; every other setting of older
    systems is not understood, in both strengths."""
    for word in (exact(line, NAMES), spoken(said(line), NAMES)):
        assert (word.name if word else None) == name


@pytest.mark.parametrize(
    ("subject", "word"),
    [
        ("help", Word(name="help")),
        ("JOIN", Word(name="join")),
        ("Re: Subscribe", Word(name="join")),
        ("[Team] leave", Word(name="leave")),
        ("unsubscribe", Word(name="leave")),
        (f"leave {LEAVE.upper()}", Word(name="leave", token=LEAVE)),
        (f"unsubscribe {LEAVE}", Word(name="leave", token=LEAVE)),
        (f"confirm {TOKEN}", Word(name="confirm", token=TOKEN)),
        (f"Vs: confirm  {TOKEN}", Word(name="confirm", token=TOKEN)),
        (f"Out of office: confirm {TOKEN}", Word(name="confirm", token=TOKEN)),
        ("which", Word(name="which")),
        ("echo", Word(name="echo")),
        ("Echo Lake trip on Sunday", None),
        ("Echo test", None),
        ("Confirm attendance", None),
        ("confirm abc", None),
        (f"confirm {TOKEN} please", None),
        (f"confirm {TOKEN}x", None),
        ("Set meeting time on", None),
        ("leave team", None),
        ("Leave it to me", None),
        (f"leave {TOKEN}", None),
        ("join us", None),
        ("please unsubscribe me", None),
        ("Help!", None),
        ("help me", None),
        ("stop", None),
        ("", None),
    ],
)
def test_a_subject_is_a_command_if_it_is_exactly_one(subject: str, word: Word | None) -> None:
    """Where a wrong guess would swallow a post, a word too many makes it one."""
    assert exact(subject, NAMES) == word


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("please unsubscribe me", "leave"),
        ("Please remove me from this list.", "leave"),
        ("remove me from your mailing list, thanks", "leave"),
        ("Sign off", "leave"),
        ("I want to leave", "leave"),
        ("I’d like to unsubscribe from the list", "leave"),
        ("could you please take me off this list?", "leave"),
        ("I want to be removed from team", "leave"),
        ("opt out", "leave"),
        ("I would like to join the list", "join"),
        ("please add me to team@lists.example.org", "join"),
        ("Sign me up, please!", "join"),
        ("SUB team Anna Berg", "join"),
        ("subscribe team digest=no", "join"),
        ("set mail off please", "mail_off"),
        ("help me please", "help"),
        ("help set", "help"),
        ("echo hello", "echo"),
        ("confirm whatever", "confirm"),
        ("do not remove me from this list", None),
        ("don't unsubscribe me", None),
        ("unsubscribe other", None),
        ("SIG other", None),
        ("leave me alone", None),
        ("leave me a note in the kitchen", None),
        ("remove the table from the hall", None),
        ("join us for dinner", None),
        ("subscribe Anna Berg", None),
        ("to unsubscribe", None),
        ("Which one of you has my umbrella?", None),
        ("please", None),
        ("...", None),
    ],
)
def test_plain_english_is_understood_at_request(line: str, name: str | None) -> None:
    """A line that asks for one thing in so many words is that command; one that says more, or
    the contrary, or is about another list, is none."""
    word = spoken(said(line), NAMES)
    assert (word.name if word else None) == name


def test_addresses_are_kept() -> None:
    """Whom a command names is for others to judge, but for the list itself."""
    word = spoken("join address=eve@example.com", NAMES)
    assert word == Word(name="join", addresses=("eve@example.com",))
    assert spoken("leave team@lists.example.org eve@example.com", NAMES) == Word(
        name="leave", addresses=("team@lists.example.org", "eve@example.com")
    )


words = st.sampled_from(
    ["set", "mail", "on", "off", "nomail", "team", "leave", "join", "help", "confirm", TOKEN, LEAVE]
)


@given(st.lists(words, max_size=5).map(" ".join) | st.text(max_size=2_000))
def test_exact_commands_are_commands_anywhere(text: str) -> None:
    """The strict grammar is part of the wide one, and any text can be read."""
    word = exact(text, NAMES)
    line = said(text)
    if word is not None and line == text:
        assert spoken(line, NAMES) == word
    spoken(line, NAMES)
