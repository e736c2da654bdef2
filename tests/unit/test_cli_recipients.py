"""Recipients of a post, some at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.cli.recipients import SLICE, Recipient, _printer, named, slices


@given(st.integers(0, 3_000_000), st.text("0123456789abcdef", min_size=0, max_size=24))
def test_everybody_is_in_one_slice(audience: int, person: str) -> None:
    """Slices are in order, leave nobody out and take nobody twice; each has about as many people as
    fit into memory, whoever they are."""
    cuts = list(slices(audience))
    assert (cuts[0][0], cuts[-1][1]) == ("", "")
    assert [stop for _, stop in cuts[:-1]] == [start for start, _ in cuts[1:]]
    assert len(cuts) == max(1, -(-audience // SLICE))
    assert sum(person >= start and (not stop or person < stop) for start, stop in cuts) == 1


def test_who_was_erased_is_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    """By that word in a table, and by a mark of its own for programs, whose address is empty; the
    id of nobody is no address."""
    block = [Recipient(list="", person=person, outcome="accepted") for person in ("01ab", "02cd")]
    found = list(named(block, "team@example.org", {"02cd": "eve@example.net"}))
    assert [(one.list, one.address, one.erased) for one in found] == [
        ("team@example.org", "", True),
        ("team@example.org", "eve@example.net", False),
    ]
    _printer(json=False, format_="table")(found)
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["erased", "accepted"],
        ["eve@example.net", "accepted"],
    ]
    _printer(json=False, format_="csv")(found)
    heading, first, second = (line.split(",") for line in capsys.readouterr().out.splitlines())
    place = heading.index("erased")
    assert (first[place], second[place]) == ("true", "false")


def test_a_letter_that_names_nobody_was_to_nobody_who_was_erased() -> None:
    """Its reader is told by the address it went to, and called not kept once that is deleted."""
    block = [Recipient(list="", person="", outcome="accepted")]
    for where, who in (({}, "not kept"), ({"": "olga@example.org"}, "olga@example.org")):
        (found,) = named(block, "team@example.org", where)
        assert (found.who, found.erased) == (who, False)
