"""The rows that folds give, as DuckDB stores them: in memory, until they are summed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from projections import columns, layout
from projections.projection import Projection, Rows


class Tables:
    """Empty tables of all projections."""

    def __init__(self, projections: Sequence[Projection]) -> None:
        self._connection = duckdb.connect(":memory:", config={"threads": 1})
        self._tables = {
            table.name: (layout.insert(table, personal=False), layout.given(table))
            for each in projections
            for table in each.tables
        }
        for each in projections:
            for table in each.tables:
                self._connection.execute(layout.create(table, table.name))

    def stored(self, rows: Rows) -> Mapping[str, Sequence[tuple[Any, ...]]]:
        """These rows as the tables have them. Raises what a row that does not fit does."""
        found = {}
        for name, some in rows.items():
            if some:
                insert, given = self._tables[name]
                columns.fill(self._connection, insert, columns.columns(given, some))
                found[name] = self._connection.execute(f"select * from {name}").fetchall()  # noqa: S608  our own name
                self._connection.execute(f"delete from {name}")  # noqa: S608
        return found
