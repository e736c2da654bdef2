"""What happened, as a table: of a member, and of a list's settings."""

from __future__ import annotations

from collections.abc import Sequence

from postroad.cli.output import print_table
from schemas.commands import HistoryRow


def show(rows: Sequence[HistoryRow]) -> None:
    """Print a history, the oldest first."""
    print_table(
        ("UTC", "what", "by, why"),
        ((row.time[:19].replace("T", " "), _what(row), _why(row)) for row in rows),
        whole=1,
    )


def _what(row: HistoryRow) -> str:
    changed = [f"{name}: {_plain(old)} → {_plain(new)}" for name, old, new in row.changes]
    return "\n".join([row.what, *changed] if row.what != "changed" else changed or [row.what])


def _why(row: HistoryRow) -> str:
    how = row.how if row.how not in row.by else ""
    return "\n".join(filter(None, (", ".join(filter(None, (row.by, how))), row.reason)))


def _plain(value: object) -> str:
    match value:
        case None | "":
            return "(none)"
        case bool():
            return str(value).lower()  # as it is typed
        case list() | tuple():
            return ", ".join(map(str, value)) or "(none)"
        case _:
            return str(value).replace("\n", r"\n")
