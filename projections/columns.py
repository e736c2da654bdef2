"""Rows of tuples as columns of Arrow: how DuckDB takes many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from projections import layout
from projections.projection import Row

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
        pa.array(values, arrow_type(sql))
        for values, sql in zip(zip(*rows, strict=True), types.values(), strict=True)
    ]
    return pa.table(arrays, names=list(types))


def fill(connection: duckdb.DuckDBPyConnection, insert: str, rows: pa.Table) -> int:
    """Run an insert that reads the table GIVEN; how many rows it stored."""
    connection.register(layout.GIVEN, rows)
    stored = connection.execute(insert).fetchone()
    connection.unregister(layout.GIVEN)
    return int(stored[0]) if stored else 0
