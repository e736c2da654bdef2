"""A small copy for analysts, with names that mean no good."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from postroad.cli.analysis.session import Limits, Session

EVIL = "\x1b]0;owned\x07[bold red]=cmd|' /C calc'!A0\u202e\"'); drop table posts; --"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("analytics") / "postroad.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table posts (seq ubigint, ts timestamp, list varchar)")
        connection.execute(
            "insert into posts select i, timestamp '2026-11-01' + to_hours(i::int), ?"
            " from range(500) t(i)",
            [EVIL],
        )
        connection.execute("create view lists as select distinct list from posts")
        connection.execute("create table about (as_of timestamp, stream varchar, seq ubigint)")
        connection.execute("insert into about values ('2026-11-22 12:00:00', 'ROUTED', 500)")
    return path


@pytest.fixture
def session(copy: Path) -> Iterator[Session]:
    opened = Session(copy, Limits(seconds=20.0, octets=64 * 10**6))
    yield opened
    opened.close()
