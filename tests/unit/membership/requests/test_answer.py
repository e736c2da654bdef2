"""What an answer to a question says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.pending import Action
from services.membership.requests.answer import answer

LETTERS = Path(__file__).parents[3] / "golden" / "letters"
SUBJECT = "Re: Please confirm: join team@lists.example.org"
QUOTED = "\n\nOn Mon, 9 Mar 2026, Team wrote:\n> Somebody asked to add this address.\n> No\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Yes",
        "Hi Team,\nyes please!",
        "OK, no problem.",
        "I am not sure what this is, but yes",
        "Noted, thanks",
        "Ja, bitte.\n-- \nBin im Urlaub bis Montag",
        "Non-stop music!",
        "Nonetheless",
        "Nothing to add",
        "Do I just reply? OK",
        "Why do you ask? Of course.",
    ],
)
def test_a_reply_means_yes(text: str) -> None:
    """Whatever people write who want it, nothing included."""
    assert answer("join", SUBJECT, text) == "yes"
    assert answer("join", SUBJECT, text + QUOTED) == "yes"


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "No!",
        "NO.",
        "No, I don't want this",
        "No thanks",
        "Hello,\n\nno.",
        "Hi there, no thank you.",
        "Nein",
        "Nein danke!",
        "Sehr geehrte Damen und Herren,\ndas war ich nicht.",
        "Non",
        "Bonjour, je n’ai rien demandé",
        "Je ne veux pas",
        "Nee",
        "Não, obrigado",
        "Nej tack",
        "Nie, dziękuję",
        "Нет",
        "いいえ",
        "I did not ask for this",
        "I didn’t ask for this!!!",
        "do not add me",
        "Please don't add me to anything",
        "It wasn't me",
        "stop",
        "STOP!",
        "Remove me",
        "please remove me from this list",
        "Unsubscribe",
        "Who are you? Stop sending me mail.",
        "Hello? Who is this? No!",
        "Remove me?",
        "Delete",
    ],
)
def test_no_means_no(text: str) -> None:
    """Whoever says first that they do not want it is not put on the list."""
    assert answer("join", SUBJECT, text) == "no"
    assert answer("join", SUBJECT, text + QUOTED) == "no"
    assert answer("join", text, "") == "no"


@pytest.mark.parametrize("text", ["Remove me", "unsubscribe", "stop", "Please unsubscribe me"])
def test_who_wants_to_be_off_agrees_to_leave(text: str) -> None:
    """The same words say yes to the question whether to leave."""
    actions: tuple[Action, ...] = ("leave", "mail_off")
    for action in actions:
        assert answer(action, SUBJECT, text) == "yes"
        assert answer(action, SUBJECT, "No") == "no"
    assert answer("mail_on", SUBJECT, text) == "no"


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Undeliverable: Please confirm", ""),
        ("Out of office: Please confirm", ""),
        ("Urlaub", "Bis Montag."),
        (SUBJECT, "I am out of the office until Monday." + QUOTED),
        (SUBJECT, "Guten Tag,\n\nich bin bis Montag im Urlaub.\n"),
        (SUBJECT, "Bonjour,\nJe suis absente jusqu’au 7."),
        ("Re: confirm abcdefghijklmnopqrstuvwxy2", "Je suis en congés.\n"),
        ("Read: Please confirm: join team@lists.example.org", "Your message was read."),
        ("Delivered: Please confirm", ""),
        ("Accepted: Please confirm", ""),
        ("Gelesen: Please confirm", ""),
        (SUBJECT, "To prove that you are human, click https://challenge.example/1" + QUOTED),
    ],
)
def test_a_program_says_nothing(subject: str, text: str) -> None:
    """Vacation notices and bounces are told by their Subject, or by what they say."""
    assert answer("join", subject, text) == "program"


@pytest.mark.parametrize(
    "text",
    [
        "confirm_join",
        "confirm_leave",
        "confirm_mail_on",
        "confirm_invitation",
        "confirm_role",
        "not_confirmed",
    ],
)
@pytest.mark.parametrize("action", ["join", "leave", "mail_on"])
def test_our_own_words_sent_back_mean_yes(action: Action, text: str) -> None:
    """Mail programs that mark no quotation send our question back as if its reader had written
    it: nothing in it is taken for their answer."""
    for mail in (LETTERS / f"{text}.txt").read_text("utf-8").split("=====")[2::2]:
        head, _, body = mail.partition("\n\n")
        subject = head.partition("Subject: ")[2]
        assert answer(action, f"Re: {subject}", body) == "yes"


@given(st.text(), st.text())
def test_any_mail_is_an_answer(subject: str, text: str) -> None:
    """Whatever comes back, it is one of three things."""
    assert answer("join", subject, text) in ("yes", "no", "program")
