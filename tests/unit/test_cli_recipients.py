"""Recipients of a post, some at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from postroad.cli.recipients import SLICE, slices


@given(st.integers(0, 3_000_000), st.text("0123456789abcdef", min_size=0, max_size=24))
def test_everybody_is_in_one_slice(audience: int, person: str) -> None:
    """Slices are in order, leave nobody out and take nobody twice; each has about as many people as
    fit into memory, whoever they are."""
    cuts = list(slices(audience))
    assert (cuts[0][0], cuts[-1][1]) == ("", "")
    assert [stop for _, stop in cuts[:-1]] == [start for start, _ in cuts[1:]]
    assert len(cuts) == max(1, -(-audience // SLICE))
    assert sum(person >= start and (not stop or person < stop) for start, stop in cuts) == 1
