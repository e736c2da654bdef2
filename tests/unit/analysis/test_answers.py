"""How answers look: to people, to terminals that obey, and to programs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from pyarrow import parquet

from postroad.cli.analysis.files import write
from postroad.cli.analysis.session import Session
from postroad.cli.analysis.tables import print_bars, print_result
from postroad.cli.analysis.values import as_csv, as_json, shown, unlike, visible
from postroad.runtime.errors import PostroadError, UsageError
from tests.unit.analysis.conftest import EVIL

ODD = """select 1 as a, 2 as a, null as n, 'nan'::double as f, 1.50::decimal(9, 2) as d,
    [1, null] as l, {'x': now() is null} as s, '\\xAB'::blob as b,
    timestamp '2026-11-22 12:00:00.5' as t, interval 3 hours as i,
    170141183460469231731687303715884105727::hugeint as h, true as y"""


def show(session: Session, sql: str, rows: int | None = 100, *, bars: bool = False) -> None:
    with session.asked(sql) as result:
        (print_bars if bars else print_result)(result, rows)


def test_a_terminal_obeys_nothing_in_an_answer(
    session: Session, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Names and subjects are strangers' words: escapes, markup, and directions are shown."""
    show(session, f'select list, 1 as "{EVIL.replace(chr(34), "")}" from posts limit 1')
    show(session, "select list, seq from posts limit 1", bars=True)
    write(session, "select list from posts limit 1", "json", None, None)
    out = capsys.readouterr().out
    for char in "\x1b\x07\u202e":
        assert char not in out
    assert "[bold red]" in out
    assert "\\x1b]0;owned\\x07" in out
    assert json.loads(out[out.index("[\n") :]) == [{"list": EVIL}]
    write(session, "select list from posts limit 1", "csv", tmp_path / "x.csv", None)
    rows = list(csv.reader(io.StringIO((tmp_path / "x.csv").read_text())))
    assert rows == [["list"], [EVIL]]  # programs get it as it is


def test_tables_fit_a_hundred_columns(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """Long cells fold, and what has too many columns becomes a record for each row."""
    for columns in (2, 4, 30):
        chosen = ", ".join(f"repeat('word{n} ', 20) as column_{n}" for n in range(columns))
        show(session, f"select {chosen}")
        out = capsys.readouterr().out
        assert max(map(len, out.splitlines())) <= 100
        assert out.count("word1") >= 20
        assert ("── 1 ──" in out) == (columns == 30)


def test_a_long_answer_says_how_much_is_left(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hundred rows, and how many more there are; all of them where that is asked for."""
    show(session, "select seq from posts")
    assert capsys.readouterr().out.endswith(" 99\nand 400 more (--all shows them)\n")
    show(session, "select seq from posts", None)
    assert "more" not in capsys.readouterr().out
    show(session, "select * from range(100000000)", 1)
    assert "and more than 1,000,000 more" in capsys.readouterr().out
    show(session, "select seq from posts", 0)
    assert capsys.readouterr().out.endswith("\nand 500 more (--all shows them)\n")
    show(session, "select 1 where false")
    assert capsys.readouterr().out.endswith("no rows\n")


def test_bars_are_as_long_as_their_numbers(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first column names a bar, the first number behind it is its length."""
    show(session, "select date '2026-11-01' + i::int as day, 'x', i from range(3) t(i)", bars=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "day, i"
    assert [line.count("█") for line in lines[1:]] == [0, 24, 48]
    odd = "from (values ('a', 'nan'::double), ('b', 'inf'), ('c', -1), ('d', 3), ('e', null))"
    show(session, odd, bars=True)
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.count("█") for line in lines] == [0, 0, 12, 36, 0]
    assert lines[2].index("█") < lines[3].index("█")  # below zero
    with pytest.raises(UsageError, match="a number in another"):
        show(session, "select 1", bars=True)


def test_programs_get_every_kind_of_value(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON is an array of objects, with times of RFC 3339; what has no number there is null."""
    write(session, ODD, "json", None, None)
    [row] = json.loads(capsys.readouterr().out)
    assert row == {
        "a": 1,
        "a_2": 2,
        "n": None,
        "f": None,
        "d": 1.5,
        "l": [1, None],
        "s": {"x": False},
        "b": "ab",
        "t": "2026-11-22T12:00:00.500000Z",
        "i": "3:00:00",
        "h": 2**127 - 1,
        "y": True,
    }
    write(session, ODD, "csv", None, None)
    head, line = csv.reader(io.StringIO(capsys.readouterr().out))
    assert head[:3] == ["a", "a", "n"]
    assert line[2:7] == ["", "nan", "1.5", "[1, null]", '{"x": false}']
    write(session, "select null, '', 'nan'::float, false", "csv", None, None)
    assert capsys.readouterr().out.splitlines()[1] == ',"",nan,false'
    write(session, "select 1 where false", "json", None, None)
    assert json.loads(capsys.readouterr().out) == []


def test_rows_are_saved_whole_or_not_at_all(session: Session, tmp_path: Path) -> None:
    """Parquet keeps the types; a query that fails on its way leaves the file that was there."""
    path = tmp_path / "posts.parquet"
    assert write(session, "select seq, ts, 1 as seq from posts", "parquet", path, 7) == 7
    table = parquet.read_table(path)
    assert (table.num_rows, table.column_names) == (7, ["seq", "ts", "seq_2"])
    assert str(table.schema.field("ts").type) == "timestamp[us]"
    for kind in ("csv", "json", "parquet"):
        with pytest.raises(PostroadError):
            write(session, "select 1 / (400 - seq), error('no') from posts", kind, path, None)
    assert parquet.read_table(path).num_rows == 7
    assert [file.name for file in tmp_path.iterdir()] == ["posts.parquet"]
    with pytest.raises(PostroadError, match="cannot be written: No such file"):
        write(session, "select 1", "csv", tmp_path / "none" / "x.csv", None)


def test_cells_are_short() -> None:
    """Numbers and times are shown as people write them."""
    cells = {
        1234567.891: "1234567.891",
        0.1 + 0.2: "0.3",
        1e-9: "1e-09",
        None: "null",
        True: "true",
    }
    assert {value: shown(value) for value in cells} == cells
    assert visible("Équipe 東京 👩‍👩‍👧") == "Équipe 東京 👩‍👩‍👧"
    assert visible("a\tb\n\x85", lines=True) == "a\tb\n\\x85"
    assert as_csv([None]) == "[null]"
    assert as_json({1: b"\x00"}) == '{"1": "00"}'
    assert unlike(["a", "a", "a_2", "a"]) == ["a", "a_2", "a_2_2", "a_3"]
