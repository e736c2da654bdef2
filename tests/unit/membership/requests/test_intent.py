"""What a mail to a command address wants, and whether to listen to it."""

from __future__ import annotations

from typing import Any

import pytest

from postroad.mail.commandwords import Word
from schemas.mail import HeaderFacts, Mailbox, RawRef
from schemas.road import CommandRouted, MailReceived, Origin
from services.membership.requests.intent import (
    author,
    deaf,
    for_another,
    needs_text,
    request,
)
from services.membership.requests.words import Request

RAW = RawRef(mail_id="0" * 32, chunks=1, size=1, sha256="", head=1)
ANNA = (Mailbox(address="anna@example.net"),)


def routed(command: str, token: str = "") -> CommandRouted:
    """A mail to this command address."""
    return CommandRouted(mail_id="0" * 32, list="team", command=command, token=token, raw=RAW)


def mail(**facts: Any) -> MailReceived:
    """A mail with these header facts."""
    facts = {"from_": ANNA, **facts}
    return MailReceived(
        mail_id="0" * 32, origin=Origin(source="box"), raw=RAW, facts=HeaderFacts(**facts)
    )


@pytest.mark.parametrize(
    ("command", "token", "subject", "text", "words"),
    [
        ("join", "digest", "leave", "leave", [Word(name="join")]),
        ("leave", "", "join", "", [Word(name="leave")]),
        ("leave", "abc", "", "", [Word(name="leave", token="abc")]),
        ("confirm", "abc", "confirm def", "", [Word(name="confirm", token="abc")]),
        ("confirm", "", "Re: confirm def", "help", [Word(name="confirm", token="def")]),
        ("confirm", "", "hello", "", [Word(name="confirm")]),
        ("request", "", "which", "help", [Word(name="which"), Word(name="help")]),
        ("help", "", "leave", "", [Word(name="help")]),
        ("get", "12", "leave", "", [Word(name="help")]),
    ],
)
def test_the_address_says_what_is_wanted(
    command: str, token: str, subject: str, text: str, words: list[Word]
) -> None:
    """Only a mail to -request, and one to -confirm without a token, is read for commands; of the
    answer to a question it is read what it says."""
    event = routed(command, token)
    assert list(request(event, subject, text).words) == words
    if not needs_text(event):
        assert request(event, subject, text) == request(event, subject)


@pytest.mark.parametrize(
    "facts",
    [
        {"auto_submitted": "auto-replied"},
        {"return_path": ""},
        {"vendor_auto": ("x-autoreply",)},
        {"report_type": "delivery-status"},
    ],
)
def test_what_answers_by_itself_is_never_obeyed(facts: dict[str, Any]) -> None:
    """No bounce or vacation notice joins, confirms or leaves, whatever token it has."""
    for word in (Word(name="join"), Word(name="confirm", token="a"), Word(name="leave", token="a")):
        assert deaf(mail(**facts), Request(words=(word,)))


def test_a_machine_may_follow_a_leave_link() -> None:
    """Mail that a provider sends when somebody presses its unsubscribe button counts, and what
    else machines send does not."""
    sent = mail(auto_submitted="auto-generated", precedence="bulk")
    assert not deaf(sent, Request(words=(Word(name="leave", token="a"),)))
    assert deaf(sent, Request(words=(Word(name="leave"),)))
    assert deaf(sent, Request(words=(Word(name="confirm", token="a"),)))


def test_an_author_is_one_address() -> None:
    """From names one readable address, once; else nobody is meant."""
    assert author(mail()) == "anna@example.net"
    assert not author(mail(from_=()))
    assert not author(mail(from_=(*ANNA, Mailbox(address="eve@example.com"))))
    assert not author(mail(oddities=("more than one from",)))


@pytest.mark.parametrize(
    ("named", "another"),
    [
        ((), False),
        (("anna@example.net",), False),
        (("anna@EXAMPLE.net",), False),
        (("team@lists.example.org",), False),
        (("eve@example.com",), True),
        (("anna@example.net", "eve@example.com"), True),
        (("@",), True),
    ],
)
def test_a_command_is_for_its_author(named: tuple[str, ...], another: bool) -> None:
    """Naming oneself or the list is fine; naming anybody else is not."""
    word = Word(name="join", addresses=named)
    assert for_another(word, "anna@example.net", "team@lists.example.org") == another
