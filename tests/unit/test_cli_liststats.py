"""How a list does, in words."""

from __future__ import annotations

from datetime import UTC, datetime

from postroad.cli.liststats import _tables, named


def test_an_author_who_was_erased_is_called_so() -> None:
    """Not by an id, which is nobody's any more; strangers have none, and never had."""
    numbers = {"posts": 1, "threads": 1, "last_at": datetime(2026, 1, 1, tzinfo=UTC)}
    rows = [{"person": person, **numbers} for person in ("01ab", "02cd", "")]
    authors = list(named(rows, {"02cd": "eve@example.net"}))
    assert [(one["address"], one["erased"]) for one in authors] == [
        ("", True),
        ("eve@example.net", False),
        ("", False),
    ]
    _, (_, _, table), _ = _tables({"domains": (), "authors": authors, "rules": ()})
    assert [row[0] for row in table] == ["erased", "eve@example.net", "(strangers)"]
