"""What messages become, whatever pieces they are folded in."""

from __future__ import annotations

from projections.folding import together
from projections.projection import Folded


def test_rows_go_together_but_for_those_behind_what_is_taken_out() -> None:
    """An erasure takes out the rows before it and none behind it, in as few steps as that needs."""
    first = Folded(rows={"a": [(1,)], "b": [(1,)]}, carry={"at": 1})
    second = Folded(rows={"a": [(2,)]}, carry={"at": 2})
    erased = Folded(rows={"a": [(3,)]}, carry={"at": 3}, forget={"a": ["x"]})
    last = Folded(rows={"b": [(4,)]}, carry={"at": 4})
    assert together([first, second, erased, last]) == [
        Folded(rows={"a": [(1,), (2,)], "b": [(1,)]}, carry={"at": 2}),
        Folded(rows={"a": [(3,)], "b": [(4,)]}, carry={"at": 4}, forget={"a": ["x"]}),
    ]
    assert first.rows["a"] == [(1,)]
    assert together([]) == []
