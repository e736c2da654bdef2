"""Makes a file's tables and views those of today's projections."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import duckdb
import msgspec

from projections import layout
from projections.projection import Carry, Projection


def tables(
    connection: duckdb.DuckDBPyConnection,
    projections: Sequence[Projection],
    checkpoints: Mapping[str, int],
    *,
    personal: bool,
) -> tuple[dict[str, Carry], set[str]]:
    """Make the tables that are missing, in a transaction of the caller's. What each projection
    carries on, by name, and those that have to be folded anew: another version made their tables,
    or they came when their stream was folded for others already."""
    found = connection.execute("select name, version, carry from projection").fetchall()
    versions = {name: version for name, version, _ in found}
    carries: dict[str, Carry] = {name: msgspec.json.decode(carry) for name, _, carry in found}
    stale: set[str] = set()
    for each in projections:
        version = layout.version(each, personal=personal)
        known = versions.get(each.name)
        if known == version or not each.tables:
            continue
        for table in each.tables:
            connection.execute(layout.create(table, f"if not exists {table.name}"))
        if known is not None or checkpoints.get(each.stream, 0):
            stale.add(each.name)
        if known is None:
            row = [each.name, "" if each.name in stale else version]
            connection.execute("insert into projection values (?, ?, '{}')", row)
        carries.setdefault(each.name, {})
    return carries, stale


def views(
    connection: duckdb.DuckDBPyConnection, database: str, projections: Sequence[Projection]
) -> None:
    """Make all views anew. What reads tables of another version is left out: it is made when those
    are folded anew."""
    sql = "select view_name from duckdb_views() where not internal and database_name = ?"
    for (name,) in connection.execute(sql, [database]).fetchall():
        connection.execute(f'drop view "{name}"')
    for view in layout.in_order(view for each in projections for view in each.views):
        with contextlib.suppress(duckdb.CatalogException, duckdb.BinderException):
            connection.execute(f"create view {view.name} as {view.sql}")
