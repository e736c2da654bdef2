"""What came of a mail's commands, as letters."""

from __future__ import annotations

from services.membership.requests.reply import Reply, bundles, decisive


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
