"""What spam filters write into headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.spamscore import MOST, Score, read


@pytest.mark.parametrize(
    ("value", "score"),
    [
        ("Yes, score=7.4 required=5.0 tests=BAYES_99,HTML_MESSAGE", Score(True, 7.4)),
        ("No, score=-2.104 tagged_above=-999 required=5 tests=[X=-1.9]", Score(False, -2.104)),
        ("No, hits=4.9 required=5.0", Score(False, 4.9)),
        ("YES", Score(True)),
        ("NO", Score(False)),
        ("true", Score(True)),
        ("7.4 (+++++++)", Score(False, 7.4)),
        ("-0.1", Score(False, -0.1)),
        ("*******", Score(False, 7.0)),
        ("default: True [16.40 / 15.00]; R_SPF_FAIL(1.00)[-all]", Score(True, 16.4)),
        ("5", Score(False, 5.0)),
        ("999999", Score(False, MOST)),
        ("", None),
        ("maybe", None),
        ("1.2.3.4", None),
        ("yesterday", None),
    ],
)
def test_a_field_of_a_filter_is_read(value: str, score: Score | None) -> None:
    """A verdict, points, or both; no part of another number or word."""
    assert read(value) == score


@given(st.text(max_size=200) | st.text(st.sampled_from("score=[]/yes*+-.0123456789 "), max_size=40))
def test_any_field_can_be_read(value: str) -> None:
    """Points are such that they can be compared and shown."""
    score = read(value)
    assert score is None or score.points is None or -MOST <= score.points <= MOST
