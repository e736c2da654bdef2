"""What a query may not do, and what is said of it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from postroad.cli.analysis.session import Limits, Row, Session, said
from postroad.runtime.errors import PostroadError, UsageError

CHANGES = """
insert into posts select * from posts
with x as (insert into posts select * from posts returning *) select * from x
update posts set seq = 1
delete from posts
truncate posts
merge into posts p using (select 1 as seq) s on p.seq = s.seq when matched then delete
drop table posts
create table x (i int)
create or replace view about as select 1
alter table posts rename to p
create macro f(a) as a
comment on table posts is 'x'
explain analyze insert into posts select * from posts
insert into lists values ('x')
update lists set list = 'x'
delete from lists
merge into lists l using (select 'x' as list) s on l.list = s.list when matched then delete
create index i on lists (list)
""".strip().splitlines()
FILES = """
copy posts to '{folder}/leak.csv'
copy (select 1) to '{folder}/leak.csv'
copy posts from '{folder}/secret'
export database '{folder}/leak'
import database '{folder}'
attach '{folder}/other.duckdb'
attach '{folder}/other.duckdb' as o (read_only)
select * from '{folder}/secret'
from 'secret.txt'
describe './secret'
select * from read_csv('{folder}/secret')
select * from read_text('{folder}/secret')
select * from read_blob('{folder}/secret')
select * from read_json('{folder}/secret')
select * from read_parquet('{folder}/secret')
select * from sniff_csv('{folder}/secret')
select * from glob('{folder}/*')
select * from query('select * from read_text(''{folder}/secret'')')
create secret s (type s3)
install httpfs
load httpfs
""".strip().splitlines()
SETTINGS = """
set memory_limit = '100GB'
set threads = 64
reset memory_limit
pragma memory_limit = '10GB'
set enable_external_access = true
set lock_configuration = false
pragma enable_profiling
set session timezone = 'Asia/Tokyo'
call enable_logging()
""".strip().splitlines()


def ask(session: Session, sql: str) -> list[Row]:
    """Every row."""
    rows: list[Row] = []
    for statement in session.statements(sql):
        with session.asked(statement) as result:
            rows = [row for batch in result.batches for row in batch]
    return rows


def test_nothing_can_be_changed(session: Session, copy: Path) -> None:
    """Whatever the kind of statement, a SELECT that inserts too, and whether table or view: the
    copy stays as it is."""
    before = copy.read_bytes()
    for sql in CHANGES:
        with pytest.raises(PostroadError, match="refused: this is a copy to read"):
            ask(session, sql)
    assert copy.read_bytes() == before


def test_no_file_is_read_or_written(session: Session, tmp_path: Path) -> None:
    """A query knows the tables of the copy and nothing besides."""
    (tmp_path / "secret").write_text("hush")
    with duckdb.connect(str(tmp_path / "other.duckdb")):
        pass
    for line in FILES:
        with pytest.raises(PostroadError, match="refused: a query may touch no file"):
            ask(session, line.format(folder=tmp_path))
    for sql in ("select getenv('HOME')", "call start_ui()", "from a.b"):
        with pytest.raises(UsageError):  # no such thing here
            ask(session, sql)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.duckdb", "secret"]


def test_no_setting_can_be_changed(session: Session) -> None:
    """Who could would have no limits."""
    for sql in SETTINGS:
        with pytest.raises(PostroadError, match="refused: settings are fixed"):
            ask(session, sql)


def test_variables_of_this_program_are_no_tables(session: Session) -> None:
    """DuckDB in Python would read any table that it finds by name in its callers."""
    secrets = pa.table({"word": ["hush"]})
    assert secrets.num_rows
    with pytest.raises(UsageError, match="secrets does not exist"):
        ask(session, "select * from secrets")


def test_time_ends_a_query(copy: Path) -> None:
    """Endless queries are ended, and the next one is answered."""
    with contextlib.closing(Session(copy, Limits(seconds=0.1, octets=64 * 10**6))) as session:
        for sql in (
            "with recursive t(i) as (select 1 union all select i + 1 from t) select max(i) from t",
            "select count(*) from range(100000) a, range(100000) b, range(9)",
            "select * from range(1000000000000)",
        ):
            with pytest.raises(PostroadError, match=r"took more than 0.1 s and was ended"):
                ask(session, sql)
        assert ask(session, "select 1") == [(1,)]


def test_memory_is_bounded(session: Session) -> None:
    """A query that needs more than it may is ended, and spills nothing onto the disk."""
    with pytest.raises(PostroadError, match="needs more than 64 MB of memory"):
        ask(session, "select list(i) from range(100000000) t(i)")


def test_what_is_wrong_with_a_query_is_said(session: Session) -> None:
    """The place in it, for who typed it, with nothing in it that a terminal obeys."""
    for sql, words in {
        "selec 1": "syntax error",
        "select nothing from posts": '"nothing" not found',
        "select * from post": 'Did you mean "posts"',
        "select \x1b[31m from posts": r"\\x1b",
        "select \udcff": "not UTF-8",
    }.items():
        with pytest.raises(UsageError, match=words) as failed:
            ask(session, sql)
        assert "\x1b" not in str(failed.value)
    assert said(RuntimeError("Traceback (most recent call last)")).startswith("a value cannot")


def test_statements_follow_each_other(session: Session) -> None:
    """Macros and temporary tables are this session's own, and what fails undoes nothing else."""
    assert ask(session, "create temp table t as select 7 i; select ';', i -- ;\nfrom t;") == [
        (";", 7)
    ]
    with pytest.raises(PostroadError):
        ask(session, "begin; select error('no')")
    assert ask(session, "select i from t") == [(7,)]


def test_times_are_utc(session: Session) -> None:
    """Also those that know their zone, without a library that we do not have."""
    [(moment, day)] = ask(session, "select timestamptz '2026-11-22 01:00:00+02', today() -- now")
    assert str(moment) == "2026-11-21 23:00:00"
    assert day
