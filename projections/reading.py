"""Asks a file: with the settings that its owner has, or alone, while nobody folds into it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from projections import duckfile
from projections.duckfile import Lock
from projections.projection import Row

Given = Mapping[str, Any]  # parameters of a query

CONFIG: dict[str, Any] = {
    "threads": 1,  # two cores serve everything else
    "memory_limit": "150MB",
    "preserve_insertion_order": False,
    "checkpoint_threshold": "64MB",  # of the log beside the file
}
ROWS = 200_000  # of one answer, at most


class Answer(msgspec.Struct, frozen=True):
    """Rows of a query; `columns` is name to SQL type."""

    columns: dict[str, str]
    rows: list[Row]


def answer(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Given, limit: int
) -> Answer:
    """The rows of a query, `limit` at most."""
    connection.execute(sql, dict(parameters))
    described: Iterable[Sequence[Any]] = connection.description or ()
    return Answer({str(c[0]): str(c[1]).lower() for c in described}, connection.fetchmany(limit))


@contextlib.contextmanager
def reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that only reads, while nobody folds into the file. Raises StoreBusy where
    somebody does."""
    lock = Lock(path, shared=True)
    try:
        with duckfile.connect(path, {**CONFIG, "access_mode": "read_only"}) as connection:
            yield connection
    finally:
        lock.close()
