"""The reference of docs/analytics.md, made from what projections say of themselves.

    python -m projections.describe docs/analytics.md

writes everything behind the marker in that file anew. Without a file it prints it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from projections.catalog import projections
from projections.projection import Projection

MARKER = "<!-- from here on made by `python -m projections.describe docs/analytics.md` -->"


def reference() -> str:
    """Every table, view and column, in Markdown."""
    return "\n".join(_lines())


def written(text: str) -> str:
    """A document with its reference as it should be. Raises ValueError where the marker is not in
    it."""
    before, marker, _ = text.partition(MARKER)
    if not marker:
        raise ValueError("the document has no marker for the reference")
    return f"{before}{MARKER}\n\n{reference()}\n"


def _lines() -> Iterator[str]:
    yield "## Tables and views"
    yield ""
    yield "`about` (`as_of`, `stream`, `seq`) says when the copy was made, and up to which event of"
    yield "each stream. Times are UTC. A table grows and its rows never change; a view is made of"
    yield "tables when it is asked."
    yield ""
    yield "| | | What it holds |"
    yield "|---|---|---|"
    for name, kind, about in sorted(_overview()):
        yield f"| [`{name}`](#{name}) | {kind} | {_cell(about)} |"
    for projection in projections():
        if projection.tables or projection.views:
            yield from _described(projection)


def _overview() -> Iterator[tuple[str, str, str]]:
    for projection in projections():
        yield from ((table.name, "table", table.about) for table in projection.tables)
        yield from ((view.name, "view", view.about) for view in projection.views)


def _described(projection: Projection) -> Iterator[str]:
    for table in projection.tables:
        columns = {
            f"`{name}` | {column.type}": column.about
            + ("; null unless `[analytics] addresses` allows it" if column.personal else "")
            for name, column in table.columns.items()
        }
        source = f"A table, of {projection.stream}: {table.about}."
        yield from _section(table.name, source, "| Column | Type | Meaning |", columns)
    for view in projection.views:
        columns = {f"`{name}`": about for name, about in view.columns.items()}
        yield from _section(view.name, f"A view: {view.about}.", "| Column | Meaning |", columns)


def _section(name: str, about: str, head: str, columns: Mapping[str, str]) -> Iterator[str]:
    yield from ("", f"### {name}", "", about.replace("..", "."), "", head)
    yield "|---" * (head.count("|") - 1) + "|"
    for column, meaning in columns.items():
        yield f"| {column} | {_cell(meaning)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Print the reference, or write it into the document that is named."""
    if len(sys.argv) > 1:
        path = Path(sys.argv[1])
        path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(reference())  # noqa: T201 - that is what it is for


if __name__ == "__main__":
    main()
