"""Specification: ages of [retention] that work and are hardly meant."""

from __future__ import annotations

import pytest

from tests.unit.settings.conftest import Load

SITE = "[site]\ndomain = 'example.org'\n[retention]\n"


@pytest.mark.parametrize(
    ("ages", "words"),
    [
        ("mail = '2d'", 'mail = "2d" is shorter than send = "7d"'),
        ("mail = '100000d'", 'mail = "100000d" is more than ten years'),
        ("send = '15s'", 'send = "15s" is less than an hour'),
        ("mail = '30d'\nsend = '30d'\ndeadletter = '3650d'", ""),
    ],
)
def test_an_age_that_is_hardly_meant_is_warned_of(load: Load, ages: str, words: str) -> None:
    """It is obeyed all the same."""
    said = [line for line in load(SITE + ages).warnings if "[retention]" in line]
    assert [words in line for line in said] == ([True] if words else [])
