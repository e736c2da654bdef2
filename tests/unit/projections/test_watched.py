"""A file that somebody else changes while its owner writes is found out at the next look."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from projections.watched import Damaged, Watched


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Who has the file open, with something in it that lies in blocks."""
    with duckdb.connect(tmp_path / "file.duckdb") as connection:
        connection.execute("create table numbers as select range as n from range(100000)")
        connection.execute("checkpoint")
        yield connection


@pytest.mark.parametrize("size", [0, 4_096, 12_288, 100_000])
def test_what_was_cut_during_a_write_is_not_taken_for_the_owners_work(
    owner: duckdb.DuckDBPyConnection, tmp_path: Path, size: int
) -> None:
    """A file cut to any size between a look and the owner's note of its write is damaged."""
    path = tmp_path / "file.duckdb"
    watched = Watched(path)
    watched.check()
    owner.execute("insert into numbers values (1)")  # into the log: no block is written
    os.truncate(path, size)
    watched.note()
    with pytest.raises(Damaged, match="was cut from"):
        watched.check()
    watched.close()


def test_a_file_that_its_owner_made_smaller_is_sound(
    owner: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """DuckDB gives room back with a checkpoint, and nobody is alarmed."""
    path = tmp_path / "file.duckdb"
    owner.execute("create table more as select random() as n from range(500000)")
    owner.execute("checkpoint")
    watched = Watched(path)
    before = path.stat().st_size
    owner.execute("drop table more")
    owner.execute("checkpoint")
    assert path.stat().st_size < before
    watched.note()
    watched.check()
    watched.close()


def test_a_file_that_was_too_short_from_the_beginning_is_damaged(tmp_path: Path) -> None:
    """No file of DuckDB is shorter than its headers, also where it was cut as it was opened."""
    path = tmp_path / "file.duckdb"
    duckdb.connect(path).close()
    os.truncate(path, 4_096)
    watched = Watched(path)
    with pytest.raises(Damaged, match="was cut"):
        watched.check()
    watched.close()
