"""Files that were moved out of the way because they were damaged: nobody deletes them."""

from __future__ import annotations

from pathlib import Path


def lying_aside(state_dir: Path) -> tuple[str, ...]:
    """What to tell of each, once. Nothing where the directory is not ours to read."""
    try:
        names = sorted(path.name for path in state_dir.glob("analytics.duckdb.*-*"))
    except OSError:
        return ()
    return tuple(
        f"{name} was moved aside in {state_dir} and stays there, though an erasure may not reach "
        "it; delete it once nobody wants it"
        for name in names
        if not name.endswith(".wal")
    )
