"""Bounces as a table: who has a score, and what was counted."""

from __future__ import annotations

from collections.abc import Sequence

from postroad.cli.output import SHORT_ID, print_table
from schemas.commands import BounceRow


def show(rows: Sequence[BounceRow], *, one: bool) -> None:
    """Print bounces: of `one` member, or the last of each member that has a score."""
    if not rows:
        print("no bounces" if one else "nobody has a score")
        return
    if one:
        first = rows[0]
        print(f"{first.address}: score {first.score:g}, delivery {_delivery(first)}")
        print_table(
            ("UTC", "class", "points", "why, mail"),
            ((_time(row), row.kind, _points(row), _why(row)) for row in rows),
            whole=1,
        )
        return
    print_table(
        ("address", "score", "delivery", "last (UTC)", "class", "why, mail"),
        (
            (row.address, f"{row.score:g}", _delivery(row), _time(row), row.kind, _why(row))
            for row in rows
        ),
    )


def _time(row: BounceRow) -> str:
    return row.time[:16].replace("T", " ")


def _points(row: BounceRow) -> str:
    return f"{row.points:g}, incident" if row.incident else f"{row.points:g}"


def _delivery(row: BounceRow) -> str:
    warned = f", {row.warnings} warned" if row.warnings else ""
    return f"{row.delivery_status}{warned}"


def _why(row: BounceRow) -> str:
    said = row.said or row.status
    server = f"reported by {row.server}" if row.server else ""
    mail = " ".join(filter(None, (row.post[:SHORT_ID], row.subject)))
    return "\n".join(filter(None, (row.why, said, server, mail)))
