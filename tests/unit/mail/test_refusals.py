"""A refusal in words that people understand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.refusals import why


@pytest.mark.parametrize(
    ("code", "enhanced", "words"),
    [
        (550, "5.1.1", "the mailbox does not exist"),
        (452, "4.2.2", "the mailbox is full"),
        (556, "5.1.10", "the domain takes no mail"),
        (550, "5.1.7", "the address is not valid there"),
        (554, "5.7.26", "spam"),
        (450, "4.7.1", "puts it off"),
        (550, "", "the mailbox is not available"),
        (571, "", "refused it"),
        (432, "4.9.9", "could not take it"),
        (0, "", "its domain took no mail, or did not answer, until the copy was given up"),
    ],
)
def test_codes_become_words(code: int, enhanced: str, words: str) -> None:
    """The enhanced code says more than the other, and counts first."""
    assert words in why(code, enhanced)


@given(st.integers(0, 999), st.text(max_size=12))
def test_there_are_always_words(code: int, enhanced: str) -> None:
    """Whatever a server answers, and never what it wrote."""
    told = why(code, enhanced)
    assert told
    assert not told.endswith(".")
