"""Every projection is one file, and all of them keep the same rules."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from projections import analytics, catalog, layout
from projections.columns import arrow_type
from projections.projection import SEQ, TS, Projection, Query, Table, View
from schemas.subjects import STREAMS, stream_of
from tests.unit.projections.analysis import Analysis, message

EACH = catalog.projections()
TABLES = [table for projection in EACH for table in projection.tables]
VIEWS = [view for projection in EACH for view in projection.views]
QUERIES = [query for projection in EACH for query in projection.queries]
KEYWORDS = "select keyword_name from duckdb_keywords() where keyword_category = 'reserved'"
RESERVED = {name for (name,) in duckdb.connect().execute(KEYWORDS).fetchall()}
OWN = [layout.GIVEN, "checkpoint", "projection"]
NEW = '''
"""Words that people use."""

from projections.projection import SEQ, TS, Column, Folded, Projection, Query, Table, View


def fold(carry, messages):
    return Folded(rows={"words": [(one.seq, one.us, one.subject) for one in messages]})


PROJECTION = Projection(
    name="words",
    about="words",
    stream="LISTS",
    subjects="lists.>",
    tables=(
        Table(
            name="words",
            about="a row for each",
            columns={"seq": SEQ, "ts": TS, "word": Column("varchar", "the word")},
        ),
    ),
    views=(
        View(
            name="often",
            about="how often",
            columns={"word": "the word", "times": "how often"},
            sql="select word, count(*) as times from words group by word",
        ),
    ),
    queries=(
        Query(
            name="how_often",
            about="how often a word was used",
            parameters={"word": "varchar"},
            sql="select times from often where word = $word",
        ),
    ),
    fold=fold,
)
'''


@pytest.fixture(scope="module")
def made() -> Analysis:
    """Every table and view there is."""
    return Analysis()


@pytest.mark.parametrize("projection", EACH, ids=lambda each: each.name)
def test_what_a_projection_reads_is_there(projection: Projection) -> None:
    """One with tables names a stream, subjects of it and a fold, which makes nothing of nothing;
    one with views alone names none of these."""
    assert projection.about
    assert bool(projection.tables) == bool(projection.stream) == bool(projection.fold)
    if projection.fold is None:
        return
    assert projection.stream in {stream.name for stream in STREAMS}
    first = projection.subjects.partition(".")[0]
    if projection.subjects != ">" and first != "mail":
        assert stream_of(f"{first}.x") == projection.stream
    folded = projection.fold({}, [])
    assert not any(folded.rows.values())
    assert set(folded.rows) <= {table.name for table in projection.tables}
    assert not folded.forget


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_table_begins_with_where_its_rows_come_from(table: Table, made: Analysis) -> None:
    """Its first columns are the sequence and the time of the message, the third is the list, where
    it has one; every column is documented, and exists with a type that rows can have."""
    names = list(table.columns)
    assert (table.columns[names[0]], table.columns[names[1]]) == (SEQ, TS)
    assert names[:2] == ["seq", "ts"]
    assert "list" not in names or names[2] == "list"
    assert table.about
    assert not [name for name, column in table.columns.items() if len(column.about) < 5]
    for type_ in layout.given(table).values():
        arrow_type(type_)
    assert bool(table.select) == (table.given is not None)
    described = made.rows(f"describe {table.name}")
    assert [name for name, *_ in described] == names
    kept = [(name, column.type) for name, column in table.columns.items()]
    assert [(row[0], row[1].lower()) for row in described] == kept


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_what_is_personal_can_be_forgotten(table: Table) -> None:
    """A table with addresses says by which column an erasure finds its rows."""
    personal = [name for name, column in table.columns.items() if column.personal]
    assert not personal or table.forgets in table.columns
    assert not table.forgets or table.forgets in table.columns


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_column_of_a_view_is_documented(view: View) -> None:
    """So is the view."""
    assert view.about
    assert not [name for name, about in view.columns.items() if len(about) < 5]


def test_names_are_nobody_elses() -> None:
    """No two tables or views, queries or projections share a name, and none is a word of SQL that
    would have to be quoted."""
    for names in (
        [table.name for table in TABLES] + [view.name for view in VIEWS] + OWN,
        [query.name for query in QUERIES],
        [projection.name for projection in EACH],
    ):
        assert [name for name, count in Counter(names).items() if count > 1] == []
    used = {table.name for table in TABLES} | {view.name for view in VIEWS}
    used |= {name for table in TABLES for name in table.columns}
    used |= {name for view in VIEWS for name in view.columns}
    assert used & RESERVED == set()


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_has_the_parameters_that_it_names(query: Query, made: Analysis) -> None:
    """It is one statement, which only reads, and takes exactly these by name."""
    (statement,) = made.connection.extract_statements(query.sql)
    assert statement.type == duckdb.StatementType.SELECT
    assert statement.named_parameters == set(query.parameters)
    assert query.about


def texts_in_functions(path: Path) -> Iterator[str]:
    """Every text in the functions of a module but what documents them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            about = ast.get_docstring(node, clean=False)
            texts = (one for one in ast.walk(node) if isinstance(one, ast.Constant))
            yield from (
                one.value for one in texts if isinstance(one.value, str) and one.value != about
            )


def test_no_value_ever_becomes_sql() -> None:
    """What SQL there is stands in the modules as it is when they are imported: no function puts any
    together, so whatever a mail or a question says reaches DuckDB as a parameter."""
    modules = [path for folder in analytics.__path__ for path in Path(folder).glob("*.py")]
    assert len(modules) > 10
    texts = [text for path in modules for text in texts_in_functions(path)]
    assert [text for text in texts if "select" in text.lower().split()] == []


def test_another_projection_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is put into the folder is found: its tables and views are made, its messages
    folded, its question answered."""
    (tmp_path / "words.py").write_text(NEW)
    monkeypatch.setattr(analytics, "__path__", [*analytics.__path__, str(tmp_path)])
    monkeypatch.syspath_prepend(tmp_path)
    catalog.projections.cache_clear()
    catalog.queries.cache_clear()
    try:
        made = Analysis()
        (projection,) = [one for one in catalog.projections() if one.name == "words"]
        made.fold(projection, [message("lists.team", 1), message("lists.team", 2)])
        assert made.ask("how_often", word="lists.team") == [{"times": 2}]
    finally:
        catalog.projections.cache_clear()
        catalog.queries.cache_clear()
