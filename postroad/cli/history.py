"""What happened, as a table: of a member, and of a list's settings."""

from __future__ import annotations

from collections.abc import Sequence

from postroad.cli.output import print_table
from schemas.commands import HistoryRow

KEY = 13  # characters of the key of an address: # and 48 bits
LONGEST = 300  # characters of a value; JSON has all


def show(rows: Sequence[HistoryRow]) -> None:
    """Print a history, the oldest first."""
    print_table(
        ("UTC", "what", "by, why"),
        ((row.time[:19].replace("T", " "), _what(row), _why(row)) for row in rows),
        whole=1,
    )


def _what(row: HistoryRow) -> str:
    told = [_change(*change) for change in row.changes]
    told += [f"{name}: {_plain(value)}" for name, value in row.facts.items()]
    return "\n".join(told if told and row.what == "changed" else [row.what, *told])


def _why(row: HistoryRow) -> str:
    how = row.how if row.how not in row.by else ""
    return "\n".join(filter(None, (", ".join(filter(None, (row.by, how))), row.reason)))


def _change(name: str, old: object, new: object) -> str:
    """One setting or option, old and new; of several values those that came and went."""
    if not isinstance(old, list) or not isinstance(new, list):
        return f"{name}: {_plain(old)} → {_plain(new)}"
    came = [f"+{_plain(value)}" for value in new if value not in old]
    went = [f"-{_plain(value)}" for value in old if value not in new]
    return f"{name}: {' '.join(came + went) or 'another order'}"


def _plain(value: object) -> str:
    match value:
        case None:
            return "(default)"
        case "" | []:
            return "(none)"
        case bool():
            return str(value).lower()  # as it is typed
        case list():
            return ", ".join(map(_plain, value))
        case str() if value.startswith("#"):
            return value[:KEY]
        case _:
            text = str(value).replace("\n", r"\n")
            return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
