"""The file of the analytics: rows, carries and positions together; what makes it unfit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from postroad.runtime.stored import Stored
from projections.duckfile import CheckpointMoved, Lock, StoreBusy
from projections.folding import Folder
from projections.projection import (
    SEQ,
    TS,
    Carry,
    Column,
    Folded,
    Message,
    Projection,
    Table,
    View,
)
from projections.reading import reading
from projections.warehouse import Batch, Origin, Warehouse
from schemas.codec import UnknownEvent

WORDS = Table(
    name="words",
    about="",
    columns={"seq": SEQ, "ts": TS, "word": Column("varchar", "", personal=True)},
    forgets="word",
)
STREAMS = {"S": Origin("then", 1000)}


def decode(data: bytes) -> str:
    """A word; one in brackets is of a newer release."""
    if data.startswith(b"<"):
        raise UnknownEvent(data)
    return data.decode()


def fold(carry: Carry, messages: Sequence[Message]) -> Folded:
    """Each word once, with how many there were before it carried on."""
    if any(message.body == "bug" for message in messages):
        raise ValueError("a bug")
    rows = [(message.seq, message.us, message.body) for message in messages]
    return Folded(rows={"words": rows}, carry={"count": carry.get("count", 0) + len(rows)})


PROJECTION = Projection(
    name="words",
    about="",
    stream="S",
    subjects="s.>",
    tables=(WORDS,),
    views=(View(name="longest", about="", columns={}, sql="select max(word) w from words"),),
    fold=fold,
    decode=decode,
    carries=True,
)


def lying(*words: str) -> list[Stored]:
    """Messages of a stream."""
    return [Stored("s.x", seq, word.encode(), ns=seq * 1000) for seq, word in enumerate(words, 1)]


def batch(after: int, upto: int, *words: str, carry: Carry | None = None) -> Batch:
    """Rows with these words."""
    rows = [(upto, 0, word) for word in words]
    folded = Folded(rows={"words": rows}, carry=carry or {})
    return Batch(stream="S", after=after, upto=upto, folded={"words": [folded]})


async def opened(place: Path, *, personal: bool = True, last: int = 1000) -> Warehouse:
    """The file there."""
    streams = {"S": Origin("then", last)}
    return await Warehouse.open(
        place / "a.duckdb", [PROJECTION], streams, personal=personal, stamp="now"
    )


async def words(warehouse: Warehouse) -> list[object]:
    """What is stored."""
    answer = await warehouse.read("select word from words order by all", {}, 100)
    return [row[0] for row in answer.rows]


async def test_rows_carry_and_position_survive_together(tmp_path: Path) -> None:
    """What was applied, what the fold takes on, and how far, is there after opening again."""
    warehouse = await opened(tmp_path)
    assert await warehouse.apply([batch(0, 7, "a", "b", carry={"count": 2})]) == 2
    with pytest.raises(CheckpointMoved):
        await warehouse.apply([batch(0, 7, "a")])
    await warehouse.close()
    again = await opened(tmp_path)
    assert await words(again) == ["a", "b"]
    assert (again.checkpoints, again.carries) == ({"S": 7}, {"words": {"count": 2}})
    assert (await again.read("select * from longest", {}, 1)).rows == [("b",)]
    await again.close()


async def test_what_is_personal_is_not_kept_unless_allowed(tmp_path: Path) -> None:
    """Where settings do not allow it, it is null in the file; another setting wants all anew."""
    warehouse = await opened(tmp_path, personal=False)
    await warehouse.apply([batch(0, 1, "ann@example.org")])
    assert await words(warehouse) == [None]
    await warehouse.close()
    allowed = await opened(tmp_path)
    assert allowed.stale == {"words"}
    await allowed.close()


async def test_rows_above_where_a_stream_went_back_to_are_taken_out(tmp_path: Path) -> None:
    """Of a stream that ends below what is folded, as after a full disk, the rest stays, and what
    takes the lost sequences is folded; what is carried on is folded anew, also after a kill."""
    warehouse = await opened(tmp_path)
    await warehouse.apply([batch(0, 5, "a")])
    await warehouse.apply([batch(5, 7, "lost")])
    assert not warehouse.fits({"S": Origin("then", 6)})
    await warehouse.close()
    for _ in range(2):
        again = await opened(tmp_path, last=6)
        assert (again.aside, again.copied, again.checkpoints) == (None, None, {"S": 6})
        assert (await words(again), again.stale) == (["a"], {"words"})
        await again.close()


async def test_of_a_large_loss_a_copy_is_kept(tmp_path: Path) -> None:
    """Where a stream went back far, what was folded of it lies beside with all its rows, and the
    rows that it can still have made stay in use."""
    warehouse = await opened(tmp_path)
    await warehouse.apply([batch(0, 5, "a")])
    await warehouse.apply([batch(5, 5000, "lost")])
    await warehouse.close()
    again = await opened(tmp_path, last=6)
    assert again.copied is not None
    assert again.copied.name == "a.duckdb.receded-now"
    assert await words(again) == ["a"]
    await again.close()
    with reading(again.copied) as connection:
        assert connection.execute("select count(*) from words").fetchall() == [(2,)]


async def test_a_file_of_another_stream_is_moved_aside(tmp_path: Path) -> None:
    """One that was folded from a stream that was made anew is kept beside."""
    warehouse = await opened(tmp_path)
    await warehouse.apply([batch(0, 7, "a")])
    await warehouse.close()
    streams = {"S": Origin("later", 1000)}
    other = await Warehouse.open(tmp_path / "a.duckdb", [PROJECTION], streams, stamp="now")
    assert other.aside is not None
    assert other.aside[0] is not None
    assert other.aside[0].name == "a.duckdb.other-now"
    assert await words(other) == []
    await other.close()
    with reading(tmp_path / "a.duckdb.other-now") as connection:
        assert connection.execute("select word from words").fetchall() == [("a",)]


@pytest.mark.parametrize("left", [b"", b"no database at all" * 1000])
async def test_a_damaged_file_is_moved_aside(tmp_path: Path, left: bytes) -> None:
    """What is no database any more is kept beside, and a new one begun; nothing at all is one."""
    (tmp_path / "a.duckdb").write_bytes(left)
    warehouse = await opened(tmp_path)
    assert (warehouse.aside is not None) == bool(left)
    await warehouse.apply([batch(0, 1, "a")])
    await warehouse.close()


async def test_who_has_the_file_is_told_by_its_process(tmp_path: Path) -> None:
    """A reader is told which process writes; while somebody reads, nobody writes."""
    warehouse = await opened(tmp_path)
    with pytest.raises(StoreBusy) as busy, reading(warehouse.path):
        pass
    assert busy.value.pid > 0
    await warehouse.close()
    with reading(warehouse.path), pytest.raises(StoreBusy):
        Lock(warehouse.path)


async def test_who_copies_ends_when_told_so_though_the_file_is_gone(tmp_path: Path) -> None:
    """Nothing that is wrong with the file keeps a process from ending."""
    warehouse, there = await opened(tmp_path), asyncio.Event()

    async def copies() -> None:
        async with warehouse.still():
            warehouse.path.unlink()
            there.set()
            await asyncio.sleep(60)

    copying = asyncio.create_task(copies())
    await there.wait()
    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying
    await warehouse.close()


def test_one_bad_message_costs_no_other() -> None:
    """What a fold fails on and what nobody knows is passed over and counted; the rest is folded,
    with what is carried on."""
    folder = Folder([PROJECTION], {})
    decoded = folder.decode(lying("a", "bug", "<new>", "b"))
    outcome = folder.fold([decoded])
    assert (decoded.unknown, decoded.garbage) == (1, 0)
    assert [(failed.projection, failed.seq) for failed in outcome.failed] == [("words", 2)]
    folded = outcome.folded["words"]
    assert [row[2] for one in folded for row in one.rows.get("words", ())] == ["a", "b"]
    folder.moved(outcome)
    assert folder.carries == {"words": {"count": 2}}
