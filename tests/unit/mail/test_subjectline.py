"""What is taken off a subject, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.subjectline import bare


@pytest.mark.parametrize(
    "subject",
    [
        "confirm abc",
        "Re: confirm abc",
        "AW[2]: [Team] Re: confirm abc",
        "[EXTERNAL] Re: confirm abc",
        "Re: confirm abc [EXTERNAL]",
        "confirm abc [EXT] [Team] ",
    ],
)
def test_what_programs_put_around_a_subject_goes(subject: str) -> None:
    """Replies, forwards and tags, before the words and after them."""
    assert bare(subject) == "confirm abc"


@pytest.mark.parametrize("subject", ["Regards", "a]", "x [open", "]]]", "confirm (abc)", "a [b] c"])
def test_the_words_of_a_person_stay(subject: str) -> None:
    """Only whole tags at the ends go."""
    assert bare(subject) == subject


@given(st.text(alphabet="[]re: x", max_size=40))
def test_nothing_is_left_to_take_off(subject: str) -> None:
    """What is bare is bare, whatever brackets there are."""
    assert bare(subject) in subject
