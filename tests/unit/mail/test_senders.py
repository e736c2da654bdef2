"""Whom an entry of the settings means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail import senders

ANN = "ann@example.org"
KEY = senders.of_key("0f" * 32)


@pytest.mark.parametrize(
    ("entry", "means"),
    [
        (KEY, True),
        (senders.of_key("0e" * 32), False),
        ("@example.org", True),
        ("@le.org", False),
        ("@www.example.org", False),
        (r"^ann@", True),
        (r"^.*@example\.org$", True),
        (r"^ANN@EXAMPLE\.ORG$", True),
        (r"^bob@", False),
        ("@news@lists.example.org", True),
        ("@other@lists.example.org", False),
        ("^(", False),
    ],
)
def test_an_entry_means_whom_it_says(entry: str, means: bool) -> None:
    """A key, a domain, a pattern, the members of a list; the first entry that does is told."""
    known = (KEY, "@news@lists.example.org")
    assert senders.named(("@nobody.example", entry), ANN, known) == (entry if means else "")


@given(st.lists(st.text(max_size=20), max_size=5), st.emails())
def test_no_entry_raises(entries: list[str], address: str) -> None:
    """Whatever stands in old settings, the answer is one of the entries or none."""
    assert senders.named(tuple(entries), address) in ("", *entries)


@pytest.mark.parametrize(
    ("pattern", "everybody"),
    [
        ("^", True),
        ("^.*", True),
        ("^[^@]+@[^@]+$", True),
        (r"^.*@.*\.[a-z]{2,}$", True),
        ("^.*@evil.example|", True),
        (r"^.*@evil\.example$", False),
        (r"^.*\.(com|org)$", False),
        ("^[0-9]+@", False),
        ("^[a-z.]+@", False),
        ("^.{0,40}@", False),
        ("^$", False),
    ],
)
def test_a_pattern_that_means_everybody_is_known(pattern: str, everybody: bool) -> None:
    """It is found in addresses that have nothing in common; what tells some from others is not."""
    assert senders.means_everybody(pattern) is everybody
