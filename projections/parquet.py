"""Tables as Parquet: a folder for each, a file for each day, and only what changed is written.

`<table>/2026-11-22.parquet` holds the rows of that day (UTC, of `ts`); what follows after a million
of them goes into `2026-11-22.2.parquet`, so a refresh writes a million rows of a table again at
most. A table without rows has `none.parquet`, so that its columns can be read all the same. A file
is replaced whole: who reads it meanwhile goes on with the old one.

`parquet.json` beside the folder says which rows each file holds. What it does not name is no part
of a table, and is taken away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import duckdb
import msgspec

from projections.duckfile import quoted

PART_ROWS = 1_000_000  # a file that has as many is not written again; 0.6 s of a core
NONE = "none.parquet"


class Part(msgspec.Struct, frozen=True):
    """One file: the rows of a day (ISO 8601; empty for none) with these sequences."""

    file: str
    day: str = ""
    first: int = 0
    last: int = 0
    rows: int = 0


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """Every file, by table. Another `fingerprint` has all of them written anew."""

    fingerprint: str = ""
    tables: Mapping[str, Sequence[Part]] = {}


def export(connection: duckdb.DuckDBPyConnection, folder: Path, fingerprint: str) -> int:
    """Bring the files up to the tables of `connection`; each has columns `seq` and `ts`, and gets
    rows of higher sequences only. Returns how many files were written. Raises OSError,
    duckdb.Error."""
    listed = Path(f"{folder}.json")
    known = _read(listed)
    if known.fingerprint != fingerprint:
        known = Parts()
    tables: dict[str, Sequence[Part]] = {}
    written = 0
    for (table,) in connection.execute(
        "select table_name from duckdb_tables() where not internal and schema_name = 'main'"
        " and table_name in (select table_name from duckdb_columns() where column_name = 'ts')"
        " order by all"
    ).fetchall():
        (place := folder / table).mkdir(mode=0o700, parents=True, exist_ok=True)
        before = [part for part in known.tables.get(table, ()) if (place / part.file).exists()]
        after = _parts(connection, table, before)
        for part in after:
            if part not in before:
                _write(connection, table, part, place)
                written += 1
        tables[table] = after
    _clear(folder, tables)
    now = Parts(fingerprint=fingerprint, tables=tables)
    if now != known:
        new = Path(f"{listed}.new")
        new.write_bytes(msgspec.json.encode(now))
        new.replace(listed)
    return written


def _read(listed: Path) -> Parts:
    try:
        return msgspec.json.decode(listed.read_bytes(), type=Parts)
    except (OSError, msgspec.MsgspecError):
        return Parts()


def _parts(
    connection: duckdb.DuckDBPyConnection, table: str, before: Sequence[Part]
) -> Sequence[Part]:
    """The files that a table needs now. One that need not be written again is as it was."""
    before = [part for part in before if part.rows]
    last = max((part.last for part in before), default=-1)
    still = _count(connection, f"{table} where seq <= {last}")
    if still != sum(part.rows for part in before):  # some were taken out: too old, or erased
        before = list(_counted(connection, table, before))
        if still != sum(part.rows for part in before):
            before, last = [], -1
    parts = {(part.day, part.first): part for part in before}
    files = {part.file for part in before}
    for day, rows, first, end in connection.execute(
        f"select ts::date, count(*), min(seq), max(seq) from {table} where seq > ?"  # noqa: S608
        " group by 1 order by 3, 1",
        [last],
    ).fetchall():
        open_ = [part for part in before if part.day == str(day) and part.rows < PART_ROWS]
        if open_:
            part = max(open_, key=lambda part: part.last)
            parts[part.day, part.first] = Part(
                part.file, part.day, part.first, end, part.rows + rows
            )
            continue
        file = next(name for name in _names(day) if name not in files)
        files.add(file)
        parts[str(day), first] = Part(file, str(day), first, end, rows)
    return list(parts.values()) or [Part(NONE)]


def _counted(
    connection: duckdb.DuckDBPyConnection, table: str, parts: Sequence[Part]
) -> Iterator[Part]:
    """These files with the rows that there are of them now."""
    for part in parts:
        if rows := _count(connection, _source(table, part)):
            yield msgspec.structs.replace(part, rows=rows)


def _count(connection: duckdb.DuckDBPyConnection, source: str) -> int:
    row = connection.execute(f"select count(*) from {source}").fetchone()  # noqa: S608 - ours
    assert row is not None
    return int(row[0])


def _names(day: date) -> Iterator[str]:
    yield f"{day}.parquet"
    number = 1
    while True:
        number += 1
        yield f"{day}.{number}.parquet"


def _source(table: str, part: Part) -> str:
    if not part.rows:
        return f"{table} where false"
    return (
        f"{table} where seq between {part.first} and {part.last}"
        f" and ts >= date '{part.day}' and ts < date '{part.day}' + 1"
    )


def _write(connection: duckdb.DuckDBPyConnection, table: str, part: Part, place: Path) -> None:
    new = place / f"{part.file}.new"
    connection.execute(
        f"copy (select * from {_source(table, part)}) to {quoted(new)}"  # noqa: S608 - all of it is ours
        " (format parquet, compression zstd, compression_level 1)"
    )
    new.replace(place / part.file)


def _clear(folder: Path, tables: Mapping[str, Sequence[Part]]) -> None:
    """Take away what is no part of a table: of another release, or left by who was killed."""
    for place in folder.iterdir():
        wanted = {part.file for part in tables.get(place.name, ())}
        for file in place.iterdir():
            if file.name not in wanted:
                file.unlink()
        if place.name not in tables:
            place.rmdir()
