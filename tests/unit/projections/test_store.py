"""The owner of a DuckDB file: rows and position together, or neither."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from projections.change import Change
from projections.duckfile import CheckpointMoved, StoreBusy
from projections.store import Schema, Store

SCHEMA = Schema(version=1, tables="create table word (text varchar, seq ubigint)", streams=("S",))
COLUMNS = {"text": "varchar", "seq": "ubigint"}


def words(*texts: str) -> Change:
    """A change that adds these."""
    return Change(
        sql="insert into word select * from appender_data",
        columns=COLUMNS,
        rows=[(text, number) for number, text in enumerate(texts)],
    )


async def texts(store: Store) -> list[str]:
    """What is stored."""
    return [row[0] for row in await store.read("select text from word order by text")]


async def test_rows_and_position_survive_together(tmp_path: Path) -> None:
    """What was applied, and how far, is there after opening the file again."""
    store = await Store.open(tmp_path / "s.duckdb", SCHEMA)
    await store.apply([words("a", "b")], stream="S", after=0, upto=7)
    await store.close()
    again = await Store.open(tmp_path / "s.duckdb", SCHEMA)
    assert again.checkpoints == {"S": 7}
    assert await texts(again) == ["a", "b"]
    await again.close()


async def test_a_batch_is_folded_once(tmp_path: Path) -> None:
    """Rows folded after another position than the file's are refused, and none of them stays."""
    store = await Store.open(tmp_path / "s.duckdb", SCHEMA)
    await store.apply([words("a")], stream="S", after=0, upto=1)
    with pytest.raises(CheckpointMoved):
        await store.apply([words("a")], stream="S", after=0, upto=1)
    assert await texts(store) == ["a"]
    assert store.checkpoints == {"S": 1}
    await store.close()


async def test_a_failed_batch_leaves_nothing(tmp_path: Path) -> None:
    """Where one change of a batch fails, the others are undone and the position stays."""
    store = await Store.open(tmp_path / "s.duckdb", SCHEMA)
    bad = Change(
        sql="insert into nowhere select * from appender_data", columns=COLUMNS, rows=[("x", 1)]
    )
    with pytest.raises(Exception, match="nowhere"):
        await store.apply([words("a"), bad], stream="S", after=0, upto=1)
    assert await texts(store) == []
    await store.apply([words("b")], stream="S", after=0, upto=1)
    assert await texts(store) == ["b"]
    await store.close()


@pytest.mark.parametrize(
    "opened_with",
    [
        {"schema": Schema(version=2, tables=SCHEMA.tables, streams=("S",))},
        {"origin": "another broker"},
        {"ends": {"S": 6}},
    ],
    ids=["another schema", "another broker", "a shorter stream"],
)
async def test_what_was_folded_from_something_else_is_folded_anew(
    tmp_path: Path, opened_with: dict[str, object]
) -> None:
    """A file of another schema, of another broker, or that stands beyond the end of its stream,
    starts again from nothing; so the next opening finds it as it left it."""
    store = await Store.open(tmp_path / "s.duckdb", SCHEMA)
    await store.apply([words("a")], stream="S", after=0, upto=7)
    await store.close()
    arguments: dict[str, object] = {"schema": SCHEMA, **opened_with}
    for _ in range(2):
        again = await Store.open(tmp_path / "s.duckdb", **arguments)  # type: ignore[arg-type]
        assert again.checkpoints == {"S": 0}
        assert await texts(again) == []
        await again.close()


async def test_a_damaged_file_is_folded_anew(tmp_path: Path) -> None:
    """What is no database any more is replaced: everything in it can be had again."""
    (tmp_path / "s.duckdb").write_bytes(b"\0" * 5000)
    store = await Store.open(tmp_path / "s.duckdb", SCHEMA)
    assert store.checkpoints == {"S": 0}
    await store.close()


async def test_a_file_has_one_owner(tmp_path: Path) -> None:
    """A second opening is refused while the first lasts, and nobody else may read the file."""
    store = await Store.open(tmp_path / "s.duckdb", SCHEMA)
    with pytest.raises(StoreBusy):
        await Store.open(tmp_path / "s.duckdb", SCHEMA)
    assert (tmp_path / "s.duckdb").stat().st_mode & 0o077 == 0
    await store.close()
    await (await Store.open(tmp_path / "s.duckdb", SCHEMA)).close()


async def test_a_stream_of_rows_sees_one_moment(tmp_path: Path) -> None:
    """Rows read in pieces are those of the moment reading began, whatever is stored meanwhile."""
    store = await Store.open(tmp_path / "s.duckdb", SCHEMA)
    await store.apply([words(*"abcdef")], stream="S", after=0, upto=1)
    pieces = store.stream("select text from word order by text", {}, 4)
    first = await anext(pieces)
    await store.apply([words("aa")], stream="S", after=1, upto=2)
    rest = [row for piece in [piece async for piece in pieces] for row in piece]
    assert [row[0] for row in [*first, *rest]] == list("abcdef")
    await store.close()


async def test_large_queries_take_turns(tmp_path: Path) -> None:
    """While the rows of one large query are taken, the next waits, because two would run out of
    memory; small ones and writing go on."""
    store = await Store.open(tmp_path / "s.duckdb", SCHEMA)
    await store.apply([words(*"abcdef")], stream="S", after=0, upto=1)
    pieces, others = (store.stream("select text from word order by 1", {}, 4) for _ in range(2))
    await anext(pieces)
    waiting = asyncio.ensure_future(anext(others))
    await store.apply([words("g")], stream="S", after=1, upto=2)
    assert await texts(store) == list("abcdefg")
    assert not waiting.done()
    await pieces.aclose()
    assert await waiting == [(text,) for text in "abcd"]
    await others.aclose()
    await store.close()


def forget(text: str) -> Change:
    """A change that takes this away."""
    sql = "delete from word using appender_data as gone where word.text = gone.text"
    return Change(sql=sql, columns=COLUMNS, rows=[(text, 0)])


def traces(folder: Path, text: str) -> list[str]:
    """The files that hold these octets."""
    return [each.name for each in folder.iterdir() if text.encode() in each.read_bytes()]


async def test_a_file_written_anew_holds_nothing_that_was_erased(tmp_path: Path) -> None:
    """What was taken away is in no file any more; all else is there, who reads meanwhile waits, and
    what is stored afterwards is kept."""
    store = await Store.open(tmp_path / "s.duckdb", SCHEMA)
    await store.apply([words("unmistakable", "a")], stream="S", after=0, upto=1)
    await store.apply([forget("unmistakable")], stream="S", after=1, upto=2, erases=True)
    assert traces(tmp_path, "unmistakable")
    reading = [asyncio.ensure_future(texts(store)) for _ in range(20)]
    await store.rewrite()
    assert await asyncio.gather(*reading) == [["a"]] * 20
    assert not store.owes
    assert traces(tmp_path, "unmistakable") == []
    await store.apply([words("b")], stream="S", after=2, upto=3)
    await store.close()
    again = await Store.open(tmp_path / "s.duckdb", SCHEMA)
    assert (again.checkpoints, await texts(again)) == ({"S": 3}, ["a", "b"])
    assert (tmp_path / "s.duckdb").stat().st_mode & 0o077 == 0
    await again.close()


async def test_a_file_that_was_to_be_written_anew_is_folded_anew(tmp_path: Path) -> None:
    """Killed between an erasure and the writing, the next start leaves nothing of the file."""
    store = await Store.open(tmp_path / "s.duckdb", SCHEMA)
    await store.apply([words("unmistakable")], stream="S", after=0, upto=1)
    await store.apply([forget("unmistakable")], stream="S", after=1, upto=2, erases=True)
    await store.close()
    again = await Store.open(tmp_path / "s.duckdb", SCHEMA)
    assert again.checkpoints == {"S": 0}
    assert traces(tmp_path, "unmistakable") == []
    assert not again.owes
    await again.close()
    await (await Store.open(tmp_path / "s.duckdb", SCHEMA)).close()
