"""The copies that analysts open: one moment, whole, and Parquet files that follow the tables."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from projections import parquet, snapshot
from projections.snapshot import Job, take

AS_OF = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MADE = """
create table checkpoint (stream varchar, seq ubigint, origin varchar);
create table projection (name varchar, version varchar, carry varchar);
create table deliveries (seq ubigint, ts timestamp, person varchar);
create table bounces (seq ubigint, ts timestamp, person varchar);
create view people as select distinct person from deliveries;
insert into checkpoint values ('DELIVERY', 0, 'one');
insert into projection values ('deliveries', '1', '{"windows": []}');
"""


class Live:
    """The file that somebody folds into."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "analytics.duckdb"
        self.folder = folder / "analytics"
        self.seq = 0
        self.connection = duckdb.connect(str(self.path), config={"threads": 1})
        self.connection.execute(MADE)

    def fold(self, rows: int, day: int = 1, person: str = "ann") -> None:
        """A message of so many rows, stored on that day."""
        self.seq += 1
        at = datetime(2026, 11, day, tzinfo=UTC).replace(tzinfo=None) + timedelta(seconds=self.seq)
        self.connection.execute("begin")
        self.connection.execute(
            "insert into deliveries select ?, ?, ? from range(?)", [self.seq, at, person, rows]
        )
        self.connection.execute("update checkpoint set seq = ?", [self.seq])
        self.connection.execute("commit")

    def take(self, *, clean: bool = False) -> snapshot.Taken:
        self.connection.execute("checkpoint")
        return take(Job(live=str(self.path), folder=str(self.folder), as_of=AS_OF, clean=clean))

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        """What the copy says."""
        path = self.folder / snapshot.NAME
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def files(self, table: str = "deliveries") -> list[str]:
        return sorted(path.name for path in (self.folder / "parquet" / table).iterdir())

    def exported(self, table: str = "deliveries") -> list[tuple[object, ...]]:
        """What the Parquet files of a table say, all of them at once."""
        pattern = self.folder / "parquet" / table / "*.parquet"
        with duckdb.connect() as reader:
            sql = f"select * from read_parquet('{pattern}') order by all"
            return reader.execute(sql).fetchall()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    file = Live(tmp_path)
    yield file
    file.connection.close()


def test_the_copy_says_what_it_is_of_and_holds_nothing_internal(live: Live) -> None:
    """An analyst finds tables, views, and `about`: as of when, and which sequences."""
    live.fold(3)
    live.take()
    assert live.ask("select * from about") == [(AS_OF.replace(tzinfo=None), "DELIVERY", 1)]
    assert live.ask("select * from people") == [("ann",)]
    names = {name for (name,) in live.ask("select table_name from duckdb_tables()")}
    assert names == {"about", "bounces", "deliveries"}


def test_the_copy_is_one_moment_while_rows_are_folded(live: Live) -> None:
    """What is folded after the checkpoint is in the next copy, and the file never in between."""
    live.fold(1000)
    live.connection.execute("checkpoint")
    live.connection.execute("set checkpoint_threshold = '1TB'")
    stop = threading.Event()

    def fold() -> None:
        while not stop.is_set():
            live.fold(500)

    thread = threading.Thread(target=fold)
    thread.start()
    try:
        for _ in range(3):
            take(Job(live=str(live.path), folder=str(live.folder), as_of=AS_OF))
            assert live.ask(
                "select count(*), max(deliveries.seq), any_value(about.seq) from deliveries, about"
            ) == [(1000, 1, 1)]
    finally:
        stop.set()
        thread.join()
    live.take()
    assert live.ask("select max(deliveries.seq) = any_value(about.seq) from deliveries, about") == [
        (True,)
    ]


def test_a_copy_is_made_again_where_the_file_was_checkpointed_meanwhile(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a header leads to may be overwritten after the next checkpoint: such a copy counts for
    nothing."""
    live.fold(10)
    live.connection.execute("checkpoint")
    octets = snapshot._copy_octets
    tries: list[int] = []

    def copied(source: int, target: int, size: int) -> None:
        octets(source, target, size)
        if not tries:
            live.fold(10)
            live.connection.execute("checkpoint")
        tries.append(size)

    monkeypatch.setattr(snapshot, "_copy_octets", copied)
    take(Job(live=str(live.path), folder=str(live.folder), as_of=AS_OF))
    assert len(tries) == 2
    assert live.ask("select count(*) from deliveries") == [(20,)]


def test_who_reads_the_old_copy_goes_on_with_it(live: Live) -> None:
    """A refresh takes nothing away from under a query."""
    live.fold(5)
    live.take()
    alias = live.folder.with_name("alias.duckdb")  # by one path a process opens a file once
    alias.hardlink_to(live.folder / snapshot.NAME)
    with duckdb.connect(str(alias), read_only=True) as reader:
        live.fold(5)
        live.take()
        assert reader.execute("select count(*) from deliveries").fetchall() == [(5,)]
    assert live.ask("select count(*) from deliveries") == [(10,)]


def test_parquet_follows_the_tables(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is added, on days that follow or go back, and whatever is taken out: the files hold
    the rows of the table, once each."""
    monkeypatch.setattr(parquet, "PART_ROWS", 40)
    chance = random.Random(7)
    for _ in range(8):
        for _ in range(chance.randrange(4)):
            live.fold(chance.randrange(30), chance.choice((1, 1, 2, 3)))
        if chance.random() < 0.4:
            gone = [chance.randrange(live.seq + 1), chance.choice((1, 2, 3))]
            live.connection.execute(
                "delete from deliveries where seq % 5 = 0 and seq < ? or day(ts) < ?", gone
            )
        live.take()
        assert live.exported() == live.ask("select * from deliveries order by all")
    assert live.exported("bounces") == []


def test_only_what_changed_is_written(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Days that are over lie untouched, and a file that is full is followed by another."""
    monkeypatch.setattr(parquet, "PART_ROWS", 4)
    live.fold(2, day=1)
    live.fold(2, day=2)
    assert live.take().files == 3  # one says that there are no bounces
    assert live.take().files == 0
    live.fold(2, day=2)
    assert live.take().files == 1
    assert live.files() == ["2026-11-01.parquet", "2026-11-02.parquet"]
    live.fold(2, day=2)
    assert live.take().files == 1
    assert live.files()[1:] == ["2026-11-02.2.parquet", "2026-11-02.parquet"]
    assert live.files("bounces") == ["none.parquet"]


def test_tables_made_anew_are_exported_anew(live: Live) -> None:
    """Another version of a fold may give other rows for the same messages."""
    live.fold(2)
    live.take()
    live.connection.execute("update deliveries set person = 'bob'")
    live.connection.execute("update projection set version = '2'")
    assert live.take().files == 2
    assert {person for _, _, person in live.exported()} == {"bob"}


def test_files_that_nobody_listed_are_taken_away(live: Live) -> None:
    """What a killed export left, or a table of an earlier release, is counted nowhere."""
    live.fold(2)
    live.take()
    folder = live.folder / "parquet"
    shutil.copy(folder / "deliveries/2026-11-01.parquet", folder / "deliveries/2026-11-09.parquet")
    (folder / "digests").mkdir()
    (folder / "digests/2026-11-01.parquet").touch()
    live.take()
    assert live.files() == ["2026-11-01.parquet"]
    assert sorted(path.name for path in folder.iterdir()) == ["bounces", "deliveries"]
    (live.folder / "parquet.json").write_text("{")
    live.take()
    assert len(live.exported()) == 2


def test_who_was_erased_is_in_no_copy(live: Live) -> None:
    """Rows that were taken out lie on in the live file, in room that is marked as free, but not in
    a clean copy, nor in a Parquet file."""
    live.fold(50, person="secret-person-3141")
    live.fold(50)
    live.connection.execute("checkpoint")
    live.connection.execute("delete from deliveries where person <> 'ann'")
    live.take(clean=True)
    for path in live.folder.rglob("*.*"):
        if path.is_file():
            assert b"secret-person" not in path.read_bytes(), path.name
    assert live.ask("select count(*), count(distinct person) from deliveries") == [(50, 1)]


def test_where_the_disk_is_full_the_old_copy_stays(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy asks for room before it takes any, of which a tenth of the disk, 64 MB at most, is
    left for mail; it says so, and leaves nothing half done."""
    live.fold(1)
    live.take()
    live.fold(1)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 20, total=70 << 20)
    )
    with pytest.raises(OSError, match="needs") as failed:
        live.take()
    told = snapshot.told(failed.value)
    assert told.startswith("No space left on device (the copy needs ")
    assert told.endswith(" MB and leaves 7 MB for mail, 1 MB are free)")
    assert live.ask("select count(*) from deliveries") == [(1,)]
    assert sorted(path.name for path in live.folder.iterdir()) == [
        ".lock",
        "parquet",
        "parquet.json",
        snapshot.NAME,
    ]


def test_the_program_answers_with_what_it_did_or_why_not(live: Live) -> None:
    """The projector has it done by a process of its own, which nobody else may read after."""
    live.fold(1)
    live.connection.execute("checkpoint")

    def run(path: Path) -> tuple[int, dict[str, object]]:
        job = {"live": str(path), "folder": str(live.folder), "as_of": AS_OF.isoformat()}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "projections.snapshot", json.dumps(job)],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        return done.returncode, json.loads(done.stdout)

    code, answer = run(live.path)
    assert (code, answer["files"]) == (0, 2)
    for path in (live.folder, live.folder / snapshot.NAME, live.folder / "parquet"):
        assert path.stat().st_mode & 0o077 == 0
    assert run(live.path.with_name("none"))[1]["error"] == "No such file or directory"
