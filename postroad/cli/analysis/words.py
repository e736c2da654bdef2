"""What can be asked about: tables and views, their columns, and what these mean."""

from __future__ import annotations

from dataclasses import dataclass

from postroad.cli.analysis.session import Session

ABOUT = {
    "as_of": "when this copy was made",
    "stream": "a stream of events",
    "seq": "the last event of it that is in here",
}


@dataclass(frozen=True)
class Known:
    """A table or view; `columns` is name to type and meaning."""

    name: str
    kind: str
    about: str
    columns: dict[str, tuple[str, str]]


def known(session: Session) -> list[Known]:
    """Everything in the copy, in order of name."""
    from projections.catalog import projections

    about = {"about": "as of when, and of which events, this copy is"}
    meaning: dict[str, dict[str, str]] = {"about": ABOUT}
    for each in projections():
        for table in each.tables:
            about[table.name] = table.about
            meaning[table.name] = {name: column.about for name, column in table.columns.items()}
        for view in each.views:
            about[view.name] = view.about
            meaning[view.name] = dict(view.columns)
    with session.asked(
        "select table_name, column_name, lower(data_type), table_name in"
        " (select view_name from duckdb_views() where not internal) from duckdb_columns()"
        " where not internal order by table_name, column_index"
    ) as result:
        rows = [row for batch in result.batches for row in batch]
    found: dict[str, Known] = {}
    for name, column, kind, is_view in rows:
        table_ = found.setdefault(
            name, Known(name, "view" if is_view else "table", about.get(name, ""), {})
        )
        table_.columns[column] = (kind, meaning.get(name, {}).get(column, ""))
    return list(found.values())
