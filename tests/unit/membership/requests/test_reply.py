"""What came of a mail's commands, as letters."""

from __future__ import annotations

import pytest

from services.membership.requests.reply import Outcome, Reply, bundles, decisive


def test_each_mailbox_gets_one_letter() -> None:
    """Replies to one mailbox go in one letter, texts and fields together, each text once."""
    replies = [
        Reply("answered", text="help", to="anna"),
        Reply("answered", text="which", to="anna", fields={"lists": "team"}),
        Reply("joined", text="welcome", to="bob", owed=True, person="1"),
        Reply("answered", text="help", to="anna"),
    ]
    first, second = bundles(replies)
    assert (first.to, first.texts, first.fields) == ("anna", ("help", "which"), {"lists": "team"})
    assert (first.owed, first.person) == (False, "")
    assert (second.to, second.texts, second.owed, second.person) == ("bob", ("welcome",), True, "1")


def test_nothing_to_say_and_nobody_to_say_it_to() -> None:
    """A reply without text, or without a mailbox, writes no letter."""
    assert not bundles([Reply("limited"), Reply("refused", text="token_unknown")])


def test_each_token_has_its_letter() -> None:
    """Two questions in one letter would show one token; the letter of a question has its Subject
    from the question, and takes along what has no token."""
    replies = [
        Reply("answered", text="help", to="a"),
        Reply("ignored", text="not_confirmed", to="a", fields={"token": "one", "days": "3"}),
        Reply("confirmation_sent", text="confirm_join", to="a", fields={"token": "two"}),
    ]
    first, second = bundles(replies)
    assert (first.texts, first.fields["token"]) == (("not_confirmed", "help"), "one")
    assert (second.texts, second.fields["token"]) == (("confirm_join",), "two")


@pytest.mark.parametrize(
    ("replies", "texts"),
    [
        ([("answered", "mail_is_off"), ("left", "goodbye")], ("goodbye",)),
        ([("left", "goodbye"), ("joined", "welcome")], ("welcome",)),
        ([("left", "goodbye"), ("refused", "not_member")], ("goodbye",)),
        ([("answered", "already_member"), ("answered", "mail_is_off")], ("mail_is_off",)),
        ([("answered", "mail_is_off"), ("left", "")], ()),
        ([("answered", "not_member"), ("answered", "help")], ("not_member", "help")),
        ([("answered", "own_off"), ("answered", "own_on")], ("own_on",)),
        ([("answered", "own_off"), ("answered", "copies_off")], ("own_off", "copies_off")),
        ([("answered", "mail_is_off"), ("answered", "which")], ("mail_is_off", "which")),
    ],
)
def test_of_what_contradicts_itself_the_last_is_said(
    replies: list[tuple[Outcome, str]], texts: tuple[str, ...]
) -> None:
    """Nobody reads that they are off a list and still on it; what was done counts before what
    was not."""
    found = bundles([Reply(outcome, text=text, to="a") for outcome, text in replies])
    assert tuple(text for bundle in found for text in bundle.texts) == texts


def test_one_thing_due_makes_the_letter_due() -> None:
    """What must be written takes along what else there is to say."""
    (bundle,) = bundles(
        [Reply("answered", text="help", to="a"), Reply("left", text="goodbye", to="a", owed=True)]
    )
    assert bundle.owed


def test_the_weightiest_outcome_stands_for_the_mail() -> None:
    """A mail that did something is recorded by what it did, not by what it asked besides."""
    helped, left = Reply("answered", text="help"), Reply("left")
    assert decisive([helped, left]) is left
    assert decisive([helped, Reply("refused")]).outcome == "refused"
