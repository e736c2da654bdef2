"""Who did it, in words."""

from __future__ import annotations

import pytest

from services.membership import actors

ADDRESSES = {"p1": "carol@example.org"}


@pytest.mark.parametrize(
    ("actor", "words"),
    [
        ("operator", "the command line"),
        ("operator:ann", "ann at the command line"),
        ("person:p0", "themselves"),
        ("person:p1", "carol@example.org"),
        ("person:p2", "erased"),
        ("service:membership", "Postroad"),
        ("", "Postroad"),
    ],
)
def test_each_actor_has_words(actor: str, words: str) -> None:
    """Whom it was done to is told from another person, whose address stands only while it is
    known."""
    assert actors.told(actor, ADDRESSES, "p0") == words


@pytest.mark.parametrize("by", ["", "a b", "-x", "x" * 33, "ann@example.org", "ann\n"])
def test_what_is_no_login_name_is_left_out(by: str) -> None:
    """The actor of a command names a login, and nothing else that somebody may send for one."""
    assert actors.operator(by) == "operator"
    assert actors.operator("ann.b-2") == "operator:ann.b-2"
