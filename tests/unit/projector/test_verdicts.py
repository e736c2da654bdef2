"""What `postroad verify` makes of what it found."""

from __future__ import annotations

import pytest

from services.projector.verdict import Compared, Seen, Verdict


@pytest.mark.parametrize(
    ("checkpoint", "folded", "behind", "said"),
    [
        (0, 0, 40, "not compared"),
        (500, 500, 30_000, "not compared"),
        (30_000, 30_000, 500, "same"),
        (3, 3, 5, "same"),
        (0, 0, 0, "same"),
    ],
)
def test_a_file_that_holds_next_to_nothing_is_not_the_same(
    checkpoint: int, folded: int, behind: int, said: str
) -> None:
    """Where nothing, or but the beginning, is folded in the file in use, the little that could be
    compared says nothing of the rest."""
    table = Compared(table="t", projection="p", stream="S", verdict="same")
    seen = Seen(
        stream="S",
        first=1,
        last=checkpoint + behind,
        messages=checkpoint + behind,
        deleted=0,
        checkpoint=checkpoint,
        folded=folded,
        behind=behind,
    )
    found = Verdict(tables=[table], streams=[seen])
    found.settle()
    assert (found.verdict, table.verdict) == (said, said)
