"""The guide for analysts says of tables what these say of themselves."""

from __future__ import annotations

import json

from projections import describe
from projections.catalog import projections
from tests.architecture.documents import ANALYSTS, DOCS


def test_the_reference_is_made_from_the_schema() -> None:
    """Every table, view and column stands in it as it is: `python -m projections.describe
    docs/analytics.md` writes it anew."""
    assert ANALYSTS.text == describe.written(ANALYSTS.text)


def test_every_column_has_a_meaning() -> None:
    """An analyst need not guess."""
    for projection in projections():
        for table in projection.tables:
            assert table.about
            assert all(column.about for column in table.columns.values()), table.name
        for view in projection.views:
            assert view.about
            assert all(view.columns.values()), view.name


def test_the_notebook_is_one() -> None:
    """Nbformat 4, with ids, without outputs or names of anybody."""
    book = json.loads((DOCS / "examples" / "analytics.ipynb").read_text(encoding="utf-8"))
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])
    for cell in book["cells"]:
        wanted = {"cell_type", "id", "metadata", "source"}
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
            wanted |= {"outputs", "execution_count"}
        assert cell.keys() == wanted
