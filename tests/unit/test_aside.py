"""Files that were moved aside are told until somebody deletes them."""

from __future__ import annotations

from pathlib import Path

from postroad.runtime.aside import lying_aside


def test_a_file_that_was_moved_aside_is_told_once(tmp_path: Path) -> None:
    """Each has one line, its log none; what is in use or being made is not aside, and where there
    is no directory nothing lies."""
    assert lying_aside(tmp_path / "none") == ()
    for name in ("", ".wal", ".new", ".lock", ".corrupt-20261122T010203Z.wal"):
        (tmp_path / f"analytics.duckdb{name}").touch()
    assert lying_aside(tmp_path) == ()
    for kind in ("other", "corrupt"):
        (tmp_path / f"analytics.duckdb.{kind}-20261122T010203Z").touch()
    corrupt, other = lying_aside(tmp_path)
    assert corrupt.startswith("analytics.duckdb.corrupt-20261122T010203Z was moved aside in")
    assert other.startswith("analytics.duckdb.other-")
