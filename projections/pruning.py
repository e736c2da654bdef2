"""Deletes rows that are older than they are kept.

Both clocks must say so: that of the machine, which may be set, and the time that something of ours
has lived through (`schemas.marks`), which knows how far each stream had come then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import duckdb
import msgspec

from projections import receding
from projections.projection import Projection


class Old(msgspec.Struct, frozen=True):
    """What is old of `streams`: rows as old as what any streams had stored up to `ends`, and by the
    clock what came `before` (UTC, without a zone, as rows have it)."""

    streams: Collection[str]
    ends: Mapping[str, int]
    before: datetime


def prune(
    connection: duckdb.DuckDBPyConnection, projections: Sequence[Projection], old: Iterable[Old]
) -> int:
    """Delete the old rows; returns how many."""
    gone = 0
    for each in old:
        at = _reached(connection, projections, each.ends)
        if at is not None:
            gone += sum(
                receding.delete(connection, table, "ts <= ?", min(at, each.before))
                for projection in projections
                if projection.stream in each.streams
                for table in projection.tables
            )
    return gone


def _reached(
    connection: duckdb.DuckDBPyConnection,
    projections: Sequence[Projection],
    ends: Mapping[str, int],
) -> datetime | None:
    """The time on the last row that lies within these ends; None where none does."""
    last = [
        connection.execute(
            f"select arg_max(ts, seq) from {table.name} where seq <= ?",  # noqa: S608
            [ends[projection.stream]],
        ).fetchone()
        for projection in projections
        if projection.stream in ends
        for table in projection.tables
    ]
    return max((row[0] for row in last if row and row[0] is not None), default=None)
