"""The moderator's password: what is kept of it, and where a mail gives it."""

from __future__ import annotations

import pytest

from postroad.mail import approval

SALT = bytes(range(16))
KEPT = approval.hashed("correct horse", SALT)


def test_a_password_is_known_by_its_hash() -> None:
    """The right one is right, a wrong one is not; what is kept does not hold it."""
    assert approval.is_right("correct horse", KEPT)
    assert not approval.is_right("correct hors", KEPT)
    assert not approval.is_right("", KEPT)
    assert approval.is_hash(KEPT)
    assert "correct" not in KEPT


def test_the_same_password_is_kept_differently_each_time() -> None:
    """Salt keeps two lists with one password apart."""
    assert approval.hashed("correct horse", bytes(16)) != KEPT


@pytest.mark.parametrize(
    "kept", ["", "correct horse", "scrypt$1$1$1$AA==$AA==", KEPT[:-1], KEPT * 2]
)
def test_what_is_no_hash_makes_nothing_right(kept: str) -> None:
    """Damaged settings let nobody in."""
    assert not approval.is_hash(kept)
    assert not approval.is_right("correct horse", kept)


@pytest.mark.parametrize("password", ["short", "seven77", "x" * 201, "two\nlines", "        "])
def test_a_password_must_be_one_line_of_some_length(password: str) -> None:
    """What is guessed at once, or cannot stand in a mail, is refused."""
    with pytest.raises(ValueError, match="one line of 8 to 200 characters"):
        approval.hashed(password, SALT)


@pytest.mark.parametrize(
    ("line", "password"),
    [
        ("Approved: correct horse", "correct horse"),
        ("Approve:correct", "correct"),
        ("X-Approved: correct", "correct"),
        ("  approved :\xa0correct  ", "correct"),
        ("Approved:", ""),
        ("Approved", None),
        ("Approved by the board: yes", None),
        ("Not Approved: x", None),
    ],
)
def test_a_line_gives_a_password_or_not(line: str, password: str | None) -> None:
    """All of Mailman's forms are read, in any case; a line that only looks like it is text."""
    assert approval.in_line(line) == password


def test_the_header_stands_before_the_text() -> None:
    """A password is looked for in the fields, then in the first line, and nowhere else."""
    field, line = ("x-approve", "in the header"), "Approved: in the text"
    assert approval.claimed([("subject", "x"), field], [line]) == "in the header"
    assert approval.claimed([("approved", "")], [line]) == "in the text"
    assert approval.claimed([], ["hello", line]) == ""
    assert approval.claimed([], []) == ""
