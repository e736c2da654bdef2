"""Bounces as a table: who has a score, and what was counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from postroad.cli.output import counted, print_table, print_wrapped, short
from schemas.bounces import BounceRow


def show(rows: Sequence[BounceRow], *, one: bool) -> None:
    """Print bounces: of `one` member, or the last of each member that has a score."""
    if not rows:
        print("no bounces" if one else "nobody has a score, or is stopped")
        return
    if one:
        first = rows[0]
        print(f"{first.address}: {_standing(first)}")
        print_table(
            ("UTC", "class", "points", "why, mail"),
            ((_time(row), row.kind, _points(row), _why(row)) for row in rows),
            whole=1,
        )
        return
    print_table(
        ("score", "last (UTC)", "class", "whose, why, mail"),
        (
            (f"{row.score:g}", _time(row), _class(row), f"{_whose(row)}\n{_why(row)}")
            for row in rows
        ),
        whole=2,
    )
    failing = Counter(row.address.rpartition("@")[2] for row in rows if row.incident)
    for domain, people in failing.most_common():
        who = counted(people, "member", "members")
        print_wrapped(
            f"incident: {domain} refused the mail of {who} at once; it counts once and stops nobody"
        )


def _whose(row: BounceRow) -> str:
    return f"{row.address}, {_delivery(row)}"


def _time(row: BounceRow) -> str:
    return row.time[:16].replace("T", " ")


def _class(row: BounceRow) -> str:
    return f"{row.kind}, incident" if row.incident else row.kind


def _points(row: BounceRow) -> str:
    return f"{row.points:g}, incident" if row.incident else f"{row.points:g}"


def _standing(row: BounceRow) -> str:
    return f"score {row.score:g}, {_delivery(row)}" if row.member else _delivery(row)


def _delivery(row: BounceRow) -> str:
    if not row.member:
        return "no longer on the list"
    warned = f", {counted(row.warnings, 'warning')}" if row.warnings else ""
    probed = f", probed {row.probed[:10]}" if row.probed else ""
    return f"delivery {row.delivery_status}{warned}{probed}"


def _why(row: BounceRow) -> str:
    said = row.said or row.status
    server = f"reported by {row.server}" if row.server else ""
    mail = " ".join(filter(None, (short(row.post), row.subject)))
    return "\n".join(filter(None, (row.why, said, server, mail)))
