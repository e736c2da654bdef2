"""Golden files of everything that Postroad writes to people: read them as a member would.

`python -m tests.golden.test_letters`, run in the project's folder, writes them anew; look at the
difference before it is committed.
"""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from postroad.mail.addresses import Form
from services.membership.letters import Letter, compose
from services.membership.letters.catalog import texts

LETTERS = Path(__file__).parent / "letters"
NAMES = sorted({*texts()} - {"sign_off"})
FORMS: tuple[Form, ...] = ("dash", "none")  # "plus" differs from "dash" in a character
TOKEN = "k7dq2xw5h3m6pyz4tnabcrefgu"
TOKENS = (
    *("held_one", "held_several", "held_unclear", "held_password"),
    *("request_join", "request_leave", "request_refused"),
)


def letter(text: str, form: Form = "dash") -> Letter:
    """A letter with the fields that it may need."""
    fields = {
        "subject": "Minutes of Tuesday's meeting",
        "reason": "Please send it without the attachment.",
        "verdict": "was accepted by eve@example.org on 2026-03-09 at 08:30 UTC",
        "count": "2",
        "days": "30",
        "wish": "role_owner" if "role" in text else "own_off",
        "waiting": "Subject: Tea\nFrom: Zoe <zoe@far.example>\n| Anyone for tea?",
        "people": "3",
        "other": "news@lists.example.org",
        "failures": 'the mailbox does not exist ("550 5.1.1 unknown"):\n- bob@example.net',
        "mails": "0195799f5f007d1e: Minutes of May, 3 copies",
        "lists": "team@lists.example.org\nnews@lists.example.org",
    }
    if text == "confirm_addresses":
        fields |= {"wish": "move_away", "other": "ada@new.example"}
    if "confirm" in text or text in TOKENS:
        fields |= {"token": TOKEN} | ({"days": "3"} if "confirm" in text else {})
    return Letter(
        text=text,
        to="ada@example.org",
        list_address="team@lists.example.org",
        list_name="Team",
        list_description="Plans, minutes, and who brings the cake",
        form=form,
        date=datetime(2026, 3, 9, 8, 30, tzinfo=UTC),
        message_id="0195799f5f007d1e8b1c3a52d7e9f016@lists.example.org",
        answering="question@example.org",
        fields=fields,
    )


def as_read(text: str, form: Form) -> str:
    """What a person sees of a letter in a plain text mail program."""
    mail = email.message_from_bytes(compose(letter(text, form)), policy=email.policy.default)
    part = mail.get_body(("plain",))
    assert part is not None
    return f"From: {mail['From']}\nSubject: {mail['Subject']}\n\n{part.get_content()}".replace(
        "\r\n", "\n"
    )


@cache
def rendered() -> dict[str, bytes]:
    """Every golden file by name: each text in each form, and the bytes of one whole mail."""
    files = {
        f"{text}.txt": "\n".join(
            f"===== {form} =====\n{as_read(text, form)}" for form in FORMS
        ).encode()
        for text in NAMES
    }
    return {**files, "welcome.eml": compose(letter("welcome"))}


@pytest.mark.parametrize("name", sorted((*(f"{text}.txt" for text in NAMES), "welcome.eml")))
def test_people_read_what_was_looked_at(name: str) -> None:
    """Each text, in each form of addresses, is what somebody has read and approved."""
    assert (LETTERS / name).read_bytes() == rendered()[name]


def test_no_golden_letter_is_left_over() -> None:
    """A file without a text is a text that got lost."""
    assert {path.name for path in LETTERS.iterdir()} == {*rendered()}


if __name__ == "__main__":
    LETTERS.mkdir(exist_ok=True)
    for name, data in rendered().items():
        (LETTERS / name).write_bytes(data)
