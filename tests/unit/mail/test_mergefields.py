"""Merge fields: a fixed list of names, replaced once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail import mergefields


def test_fields_are_cut_out_of_the_text() -> None:
    """`$name` and `${name}` are fields; what stands between them is literal."""
    pieces = mergefields.parse("To $user_email of ${listname}s.\n")
    assert pieces == ("To ", "user_email", " of ", "listname", "s.\n")


@pytest.mark.parametrize("text", ["5 $ a month", "$5", "${", "a$", "$$listname"])
def test_a_dollar_that_names_nothing_is_one(text: str) -> None:
    """Prices are no fields, and two dollars are one."""
    assert mergefields.parse(text) == (text.replace("$$", "$"),)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("$list_name", "no merge field $list_name; did you mean $listname?"),
        ("${Unsubscribe_url}", "did you mean $unsubscribe?"),
        ("$user_name_or_address", "there is no merge field $user_name_or_address"),
        ("${7*7}", "there is no merge field $7*7; there are $display_name"),
    ],
)
def test_an_unknown_field_is_refused_with_the_nearest(text: str, told: str) -> None:
    """Whoever writes a footer learns which names there are."""
    with pytest.raises(ValueError, match="merge field") as refused:
        mergefields.parse(text)
    assert told in str(refused.value)


def test_a_value_is_never_looked_into() -> None:
    """What looks like a field in a description is text."""
    pieces = mergefields.fill(
        mergefields.parse("$description: $unsubscribe"), {"description": "$user_email $$"}
    )
    assert pieces == ("$user_email $$: ", "unsubscribe", "")


def test_every_field_of_a_list_has_a_value() -> None:
    """The names that are a list's, and their values."""
    values = mergefields.of_list("team@lists.example", "plus", "Team", "All of us")
    assert tuple(values) == mergefields.OF_LIST
    assert values["leave_email"] == "team+leave@lists.example"
    assert values["list_id"] == "team.lists.example"


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """Text without a field comes back as it is."""
    try:
        pieces = mergefields.parse(text)
    except ValueError:
        return
    assert all(name in mergefields.NAMES for name in pieces[1::2])
    if len(pieces) == 1:
        assert pieces[0].count("$") <= text.count("$")
        assert pieces[0].replace("$", "") == text.replace("$", "")
