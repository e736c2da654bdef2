"""Rows of tuples as columns of Arrow: how DuckDB takes many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from projections import layout
from projections.projection import Row

PIECE = 128  # rows
_TYPES = {
    "boolean": pa.bool_(),
    "utinyint": pa.uint8(),
    "tinyint": pa.int8(),
    "usmallint": pa.uint16(),
    "smallint": pa.int16(),
    "uinteger": pa.uint32(),
    "integer": pa.int32(),
    "ubigint": pa.uint64(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "varchar": pa.string(),
    "json": pa.string(),
    "blob": pa.binary(),
    "timestamp": pa.timestamp("us"),  # of integers
}


def arrow_type(sql: str) -> pa.DataType:
    """The Arrow type of a column in SQL. Raises KeyError for one that no projection may have."""
    name = sql.strip().lower()
    return pa.list_(arrow_type(name[:-2])) if name.endswith("[]") else _TYPES[name]


def columns(types: Mapping[str, str], rows: Sequence[Row]) -> pa.Table:
    """Rows as a table with these columns, name to SQL type. Raises pa.ArrowException, TypeError and
    OverflowError for a value that is not of its column's type."""
    arrays = [
        _array(values, arrow_type(sql))
        for values, sql in zip(_turned(rows), types.values(), strict=True)
    ]
    return pa.table(arrays, names=list(types))


def _turned(rows: Sequence[Row]) -> list[list[Any]]:
    """Rows as columns; turned in pieces that the processor's cache holds: half the time."""
    turned: list[list[Any]] = [[] for _ in rows[0]]
    for at in range(0, len(rows), PIECE):
        piece = zip(*rows[at : at + PIECE], strict=True)
        for column, values in zip(turned, piece, strict=True):
            column.extend(values)
    return turned


def _array(values: list[Any], type_: pa.DataType) -> pa.Array:
    """A column; many say one and the same of all rows, which costs a tenth so."""
    one = values[0]
    if not isinstance(one, list) and values.count(one) == len(values):
        return pa.repeat(pa.scalar(one, type_), len(values))
    return pa.array(values, type_)


def fill(connection: duckdb.DuckDBPyConnection, insert: str, rows: pa.Table) -> int:
    """Run an insert that reads the table GIVEN; how many rows it stored."""
    connection.register(layout.GIVEN, rows)
    stored = connection.execute(insert).fetchone()
    connection.unregister(layout.GIVEN)
    return int(stored[0]) if stored else 0
