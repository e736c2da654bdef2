"""What SQL makes the tables and views of projections (pure).

Beside theirs a file has `checkpoint`, how far each stream is folded, and `projection`, which
version of each made its tables, and what its fold carries to the next batch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from projections.projection import Projection, Table, View

CHECKPOINT = "checkpoint (stream varchar, seq ubigint, origin varchar)"
PROJECTION = "projection (name varchar, version varchar, carry varchar)"
OWN = (CHECKPOINT, PROJECTION)
_READS = re.compile(r"\b(?:from|join)\s+(\w+)", re.IGNORECASE)
_PLAIN = " using compression 'uncompressed'"
GIVEN = "given"  # the table that rows to be stored are read from


def version(projection: Projection, *, personal: bool) -> str:
    """What tables must have been made with to be gone on with. `personal`: whether what is personal
    is kept."""
    shapes = [f"{table.name}({_columns(table)})" for table in projection.tables]
    if personal and any(c.personal for t in projection.tables for c in t.columns.values()):
        shapes.append("personal")
    return " ".join((str(projection.version), projection.stream, projection.subjects, *shapes))


def create(table: Table, name: str = "") -> str:
    """The statement that makes a table."""
    columns = (
        f"{column} {of.type}{_PLAIN if of.sought else ''}" for column, of in table.columns.items()
    )
    return f"create table {name or table.name} ({', '.join(columns)})"


def _columns(table: Table) -> str:
    return ", ".join(f"{name} {column.type}" for name, column in table.columns.items())


def insert(table: Table, *, personal: bool, into: str = "") -> str:
    """The statement that stores what the table GIVEN holds; what is `personal` as null, where it
    may not be kept."""
    columns = ", ".join(
        f"null as {name}" if column.personal and not personal else name
        for name, column in table.columns.items()
    )
    made = ", ".join(table.columns)
    given = f"(select {table.select} from {GIVEN}) as made({made})"  # noqa: S608 - all SQL is ours
    source = given if table.select else GIVEN
    return f"insert into {into}{table.name} select {columns} from {source}"  # noqa: S608


def forget(table: Table, into: str = "") -> str:
    """The statement that takes out the rows that an erasure goes by: those of `$gone`."""
    where = f"{table.forgets} in (select unnest($gone))"
    return f"delete from {into}{table.name} where {where}"  # noqa: S608 - all SQL is ours


def given(table: Table) -> Mapping[str, str]:
    """Name and SQL type of each column of what is given."""
    if table.given is not None:
        return table.given
    return {name: column.type for name, column in table.columns.items()}


def in_order(views: Iterable[View]) -> list[View]:
    """Each view behind those that it reads, by `from` and `join`. Raises ValueError where two read
    each other."""
    waiting = {view.name: view for view in views}
    reads = {view.name: set(_READS.findall(view.sql)) & waiting.keys() for view in waiting.values()}
    ordered: list[View] = []
    while waiting:
        free = [name for name in waiting if not (reads[name] & waiting.keys()) - {name}]
        if not free:
            raise ValueError(f"views that read each other: {', '.join(sorted(waiting))}")
        ordered += [waiting.pop(name) for name in free]
    return ordered


def streams(projections: Iterable[Projection]) -> dict[str, list[Projection]]:
    """The projections of each stream; those of views alone have none."""
    found: dict[str, list[Projection]] = {}
    for projection in projections:
        if projection.stream:
            found.setdefault(projection.stream, []).append(projection)
    return found
