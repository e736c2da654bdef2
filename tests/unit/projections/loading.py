"""Rows into a DuckDB in memory, as far as a test of one projection needs it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import duckdb
import msgspec

from projections.projection import Carry, Message, Projection, Table, View


def database(projections: Iterable[Projection]) -> duckdb.DuckDBPyConnection:
    """Their tables and views, empty. A view whose tables are not there stays out."""
    connection = duckdb.connect()
    views: list[View] = []
    for projection in projections:
        views += projection.views
        for table in projection.tables:
            columns = ", ".join(f"{name} {column.type}" for name, column in table.columns.items())
            connection.execute(f"create table {table.name} ({columns})")
    while views:
        left = [view for view in views if not _made(connection, view)]
        if len(left) == len(views):
            break
        views = left
    return connection


def load(
    connection: duckdb.DuckDBPyConnection,
    projection: Projection,
    batches: Iterable[Sequence[Message]],
    carry: Carry | None = None,
) -> Carry:
    """Fold these batches into the tables; returns what is carried, as it comes from a file."""
    carry = carry or {}
    assert projection.fold is not None
    for batch in batches:
        folded = projection.fold(carry, batch)
        for table in projection.tables:
            _insert(connection, table, folded.rows.get(table.name, ()))
        carry = msgspec.json.decode(msgspec.json.encode(folded.carry))
    return carry


def _insert(
    connection: duckdb.DuckDBPyConnection, table: Table, rows: Sequence[tuple[object, ...]]
) -> None:
    given = table.given
    if given is None:
        given = {
            name: "bigint" if column.type == "timestamp" else column.type
            for name, column in table.columns.items()
        }
    select = table.select or ", ".join(
        f"make_timestamp({name})" if column.type == "timestamp" else name
        for name, column in table.columns.items()
    )
    shape = ", ".join(f"{name} {kind}" for name, kind in given.items())
    connection.execute(f"create or replace temp table given ({shape})")
    for row in rows:
        marks = ", ".join("?" * len(row))
        values = [list(each) if isinstance(each, tuple) else each for each in row]
        connection.execute(f"insert into given values ({marks})", values)
    connection.execute(f"insert into {table.name} select {select} from given")


def _made(connection: duckdb.DuckDBPyConnection, view: View) -> bool:
    try:
        connection.execute(f"create view {view.name} as {view.sql}")
    except duckdb.CatalogException:
        return False
    return True
