"""What a rebuild tells when it is done."""

from __future__ import annotations

from postroad.cli.rebuild import _told
from schemas.questions import Progress


def test_counts_of_nothing_are_told_too() -> None:
    """A program that reads the answer finds every count in it, and an error only of a failure."""
    told = _told(Progress(names=("lists",), state="done"))
    assert (told["events"], told["total"], told["rows"], told["failed"]) == (0, 0, 0, 0)
    assert not {"error", "refused"} & told.keys()
