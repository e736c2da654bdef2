"""The tables and views of projections in memory, filled by their folds: for tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from projections import layout
from projections.catalog import projections, queries
from projections.columns import columns
from projections.instants import us
from projections.projection import Message, Projection, Row, Table
from schemas.envelope import Envelope, Event

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def at(seq: int) -> datetime:
    """When the broker stored a message: an hour after the one before."""
    return NOON + timedelta(hours=seq)


def message(subject: str, seq: int, *events: Event, actor: str = "operator") -> Message:
    """A message of a stream."""
    envelope = Envelope(
        id=f"{seq:032x}", ts=at(seq), correlation=f"c{seq}", actor=actor, events=events
    )
    return Message(subject, seq, us(at(seq)), envelope)


class Analysis:
    """A database with every table and view there is."""

    def __init__(self, *, personal: bool = False) -> None:
        self.connection = duckdb.connect()
        self._personal = personal
        self._carry: dict[str, Mapping[str, Any]] = {}
        for projection in projections():
            for table in projection.tables:
                self.connection.execute(layout.create(table))
        for view in layout.in_order(view for each in projections() for view in each.views):
            self.connection.execute(f"create view {view.name} as {view.sql}")

    def fold(self, projection: Projection, messages: Sequence[Message]) -> None:
        """Take in messages as one batch."""
        assert projection.fold is not None
        folded = projection.fold(self._carry.get(projection.name, {}), messages)
        self._carry[projection.name] = folded.carry
        tables = {table.name: table for table in projection.tables}
        for name, values in folded.forget.items():
            for value in values:
                self.connection.execute(
                    f"delete from {name} where {tables[name].forgets} = ?", [value]
                )
        for name, rows in folded.rows.items():
            self._store(tables[name], rows)

    def _store(self, table: Table, rows: Sequence[Row]) -> None:
        if rows:
            self.connection.register(layout.GIVEN, columns(layout.given(table), rows))
            self.connection.execute(layout.insert(table, personal=self._personal))
            self.connection.unregister(layout.GIVEN)

    def clear(self) -> None:
        """Empty every table."""
        self._carry = {}
        for projection in projections():
            for table in projection.tables:
                self.connection.execute(f"delete from {table.name}")

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Every row of a query."""
        return self.connection.execute(sql, parameters or {}).fetchall()

    def dicts(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The same, by name of the column."""
        found = self.connection.execute(sql, parameters or {})
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def ask(self, name: str, **parameters: Any) -> list[dict[str, Any]]:
        """A named query."""
        return self.dicts(queries()[name].sql, parameters)


def together(projection: Projection, pieces: Iterable[Sequence[Message]]) -> dict[str, list[Row]]:
    """The rows that are left when messages are folded in these pieces, by table and in order."""
    assert projection.fold is not None
    carry: Mapping[str, Any] = {}
    places = {t.name: list(t.columns).index(t.forgets) for t in projection.tables if t.forgets}
    tables = {table.name: table for table in projection.tables}
    left: dict[str, list[Row]] = {name: [] for name in tables}
    for piece in pieces:
        folded = projection.fold(carry, piece)
        carry = folded.carry
        for name, values in folded.forget.items():
            gone = set(values)
            left[name] = [row for row in left[name] if row[places[name]] not in gone]
        for name, runs in folded.rows.items():
            left[name] += [row for run in runs for row in _unrolled(tables[name], run)]
    return left


def _unrolled(table: Table, run: Row) -> list[Row]:
    """The rows that a tuple stands for, where it may be many: what differs is a list."""
    size = next((len(value) for value in run if isinstance(value, list)), 1)
    if table.given is None:
        return [run]
    return [
        tuple(value[at] if isinstance(value, list) else value for value in run)
        for at in range(size)
    ]
