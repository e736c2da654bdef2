"""When a stream has gone back, and what is known of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from postroad.runtime.streamends import NAME, End, lost, read, write

KNOWN = End("2026-11-22T03:00:00Z", 3000, 2)


@pytest.mark.parametrize(
    ("stream", "now", "how"),
    [
        ("MEMBERSHIP", KNOWN, ""),
        ("MEMBERSHIP", End(KNOWN.created, 3001, 2), ""),
        ("MEMBERSHIP", End(KNOWN.created, 0, 0), "has gone back: it ends at 0, and ended at 3,000"),
        ("MEMBERSHIP", End(KNOWN.created, 3001, 3), "has lost 1 message"),
        ("RECEIVED", End(KNOWN.created, 3001, 3001), ""),
        ("RECEIVED", End("2026-11-23T03:00:00Z", 3001, 2), "was made anew"),
        ("RECEIVED", End(KNOWN.created, 2999, 2), "has gone back"),
        ("RECEIVED", None, "is gone; it had 3,000 messages"),
    ],
)
def test_less_than_there_was(stream: str, now: End | None, how: str) -> None:
    """A stream has gone back that ends before its end, is another or none, or has lost what
    nothing deletes; what finished mail leaves is no loss."""
    told = lost({stream: KNOWN}, {stream: now})
    assert told.get(stream, "").startswith(how)
    assert bool(told) == bool(how)


def test_what_is_not_seen_or_was_empty_is_not_lost() -> None:
    """A stream that cannot be seen is not said to be lost, and one that never had anything may
    be made anew."""
    assert not lost({"SEND": KNOWN, "PENDING": End("then", 0, 0)}, {"PENDING": None})


def test_it_is_kept_in_a_file(tmp_path: Path) -> None:
    """What is known is read as it was written; a file that is damaged says nothing."""
    assert read(tmp_path) == {}
    write(tmp_path, {"SEND": KNOWN})
    assert read(tmp_path) == {"SEND": KNOWN}
    (tmp_path / NAME).write_text('{"SEND": {')
    assert read(tmp_path) == {}
