"""Header matches as owners write them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.headermatch import HeaderMatch, parse, read, typed


@pytest.mark.parametrize(
    ("line", "match"),
    [
        (r"hold Subject: ^\[ad\]", HeaderMatch("hold", "Subject", r"^\[ad\]")),
        ("discard X-Spam-Flag: yes", HeaderMatch("discard", "X-Spam-Flag", "yes")),
        ("Discard  X-Spam-Flag:yes ", HeaderMatch("discard", "X-Spam-Flag", "yes")),
        ("X-Spam-Flag: yes", HeaderMatch("hold", "X-Spam-Flag", "yes")),
        ("reject Subject: re: +re:", HeaderMatch("reject", "Subject", "re: +re:")),
        ("accept X-Ours:  two blanks", HeaderMatch("accept", "X-Ours", " two blanks")),
    ],
)
def test_a_match_is_typed_as_one_line(line: str, match: HeaderMatch) -> None:
    """Action, field and pattern stand behind each other; hold is meant where there is no action."""
    assert parse(line) == match


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("no colon", "is not of the form `hold Subject: pattern`"),
        ("destroy Subject: x", "'destroy' is no action; there are accept, hold, reject, discard"),
        ("hold Subject:", "found everywhere"),
        ("hold Subject: (", "is no pattern"),
        ("hold Sub ject: x", "is not of the form"),
    ],
)
def test_what_is_wrong_with_a_match_is_said(line: str, words: str) -> None:
    """A line that is none is refused with the reason."""
    with pytest.raises(ValueError, match=re.escape(words)):
        parse(line)


@pytest.mark.parametrize(
    "pattern", ["^", ".*", "(?s).+", ".+", "^.", "[^,]", r"\S", "x*", r"\b|_|~"]
)
def test_a_pattern_that_any_value_has_looks_for_nothing(pattern: str) -> None:
    """Whether it is found in an empty value or not: it would accept all mail, or none."""
    with pytest.raises(ValueError, match="found in everything"):
        typed(f"accept From: {pattern}")


@pytest.mark.parametrize("pattern", [".", "x", r"\d", "^.{1,20}$", "[^a-z0-9]$", "@"])
def test_a_pattern_that_some_values_have_is_taken(pattern: str) -> None:
    """And a single `.`, which says plainly that the field must be there."""
    assert typed(f"hold X-Virus: {pattern}").pattern == pattern


@given(st.text(max_size=80))
def test_a_match_is_written_as_it_is_read(line: str) -> None:
    """What is kept of a match is read as the same match, and is refused or read, never worse."""
    try:
        match = parse(line)
    except ValueError:
        assert read((line,)) == ()
    else:
        assert parse(str(match)) == match
        assert read((line, "no match", str(match))) == (match, match)
