"""Specification: every view can be asked, and says what its columns are; so can every query."""

from __future__ import annotations

import pytest

from projections import catalog
from projections.projection import Query, View
from tests.unit.projections.analysis import Analysis

VIEWS = [view for projection in catalog.projections() for view in projection.views]
WORDS: dict[str, object] = {
    "varchar": "",
    "varchar[]": [""],
    "timestamp": "2026-05-01",
    "date": "2026-05-01",
}
QUERIES = [query for projection in catalog.projections() for query in projection.queries]


@pytest.fixture(scope="module")
def empty() -> Analysis:
    """Every table, with nothing in it."""
    return Analysis()


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_view_has_the_columns_it_documents(empty: Analysis, view: View) -> None:
    """What is documented of a view is what it gives, in that order."""
    found = empty.connection.execute(f"select * from {view.name}").description
    assert [name for name, *_ in found or ()] == list(view.columns)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_takes_its_parameters(empty: Analysis, query: Query) -> None:
    """A named query runs with the parameters that it names, and with no others; what sums up may
    have a row that says there is nothing."""
    values = {name: WORDS.get(kind, 1) for name, kind in query.parameters.items()}
    assert len(empty.ask(query.name, **values)) <= 1  # a sum of nothing is a row, too
