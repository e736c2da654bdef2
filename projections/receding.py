"""Takes out of a file what its streams have no more, where they went back.

A broker without room on its disk, or whose machine lost its power, may have given out messages that
it never wrote: other messages get their sequences, which must not be passed over.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from projections import duckfile
from projections.projection import Projection, Table

LITTLE = 1000  # messages; the rows of more are the last trace of a loss, and a copy of them is kept


class Unfit(Exception):
    """The file cannot be gone on with; `kind` is `corrupt` or `other`."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


class Receded(Unfit):
    """A stream lost more than a little: a copy is to be kept before rows are taken out."""


def delete(connection: duckdb.DuckDBPyConnection, table: Table, which: str, than: object) -> int:
    """Delete the rows for which this is so; returns how many."""
    sql = f"delete from {table.name} where {which}"  # noqa: S608 - all SQL is ours
    found = connection.execute(sql, [than]).fetchone()
    return int(found[0]) if found else 0


def cut(
    connection: duckdb.DuckDBPyConnection,
    projections: Sequence[Projection],
    ends: Mapping[str, int],
) -> set[str]:
    """Take out the rows above where these streams end, and set their positions back, in a
    transaction of the caller's. Returns the projections to be folded anew: what they carry on may
    rest on messages that are gone. The file says so, too, until that is done."""
    anew = set()
    for each in projections:
        if each.stream not in ends:
            continue
        for table in each.tables:
            delete(connection, table, "seq > ?", ends[each.stream])
        if each.carries:
            anew.add(each.name)
            connection.execute("update projection set version = '' where name = ?", [each.name])
    for stream, end in ends.items():
        connection.execute("update checkpoint set seq = ? where stream = ?", [end, stream])
    return anew


def copy(path: Path, stamp: str) -> Path:
    """Keep a copy of a closed file; where it lies. Raises OSError where there is no room."""
    new = Path(f"{path}.new")  # is removed where this is killed
    shutil.copyfile(path, new)
    new.chmod(0o600)
    aside = duckfile.beside(path, f"receded-{stamp}")
    return new.replace(aside)
