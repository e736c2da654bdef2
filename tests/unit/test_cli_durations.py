"""How long copies took."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from postroad.cli.durations import Durations, durations, seconds


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 500)), max_size=30))
def test_so_many_copies_were_taken_within_each_time(taken: list[tuple[float, int]]) -> None:
    """At least 50, 95 and 99 of 100 copies took no longer than is told, and fewer were taken
    before; windows without a copy count for nothing."""
    found = durations(taken)
    total = sum(copies for _, copies in taken)
    assert (found is None) == (total == 0)
    if found is not None:
        for share, within in ((0.50, found.p50), (0.95, found.p95), (0.99, found.p99)):
            rounded = [(round(after, 6), copies) for after, copies in taken]
            assert sum(copies for after, copies in rounded if after <= within) >= share * total
            assert sum(copies for after, copies in rounded if after < within) < share * total


def test_people_read_it_in_a_unit_that_fits() -> None:
    """Milliseconds to days."""
    assert Durations(p50=0.0123, p95=90, p99=7_200).told == (
        "half within 0.0123 s, 95 % within 90 s, 99 % within 2.0 h"
    )
    assert seconds(200_000) == "2.3 days"
