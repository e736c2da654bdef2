"""`postroad verify` tells whether the analytics are what their streams say, and what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from postroad.cli import verify
from postroad.cli.frame import Call
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from postroad.runtime.config import Config
from projections.warehouse import NAME
from schemas import codec, subjects
from schemas.envelope import Event
from schemas.people import PersonErased, PersonKnown
from services.projector import reading
from services.projector.beside import FOLDER
from tests.broker.projecting import (
    LIST,
    Projecting,
    die,
    ledger,
    member,
    projector,
    publish,
    settings,
)


@pytest.fixture
async def stored(broker: Broker, tmp_path: Path) -> Config:
    """Settings of an installation with something in its streams."""
    await publish(broker, [member(number) for number in range(40)])
    await publish(broker, [entry for chunk in range(6) for entry in ledger(chunk, 3)])
    for number in range(3):
        known = PersonKnown(person=f"p{number}", address=f"p{number}@example.net")
        await say(broker, subjects.people(f"key{number}"), known)
    return settings(tmp_path)


async def say(broker: Broker, subject: str, event: Event) -> int:
    """Store an event; its sequence."""
    return await broker.publish(subject, codec.encode(envelope([event], correlation="test")))


async def verdict(config: Config, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """What the command says, and its exit code."""
    code = await verify.run(Call(file=config.path, json=True))
    said = capsys.readouterr().out
    return code, json.JSONDecoder().raw_decode(said, said.index("{\n"))[0]  # beside log lines


async def folded(broker: Broker, config: Config) -> None:
    """Everything is folded, and the projector gone."""
    async with projector(broker, config) as running:
        await running.caught_up()


async def by_hand(running: Projecting, sql: str) -> None:
    """Change the file in use."""
    warehouse = running.keeper.held.warehouse
    await warehouse._execute(sql)  # nobody else may


async def test_what_differs_is_named_by_list_day_and_message(
    broker: Broker, stored: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    """While the projector folds on, all is the same; a row that was changed, lost or added in its
    file is found, and the command that mends it is told."""
    async with projector(broker, stored) as running:
        await running.caught_up()
        code, told = await verdict(stored, capsys)
        assert (code, told["verdict"], told["differences"]) == (0, "same", []), told
        rows = {table["table"]: table["rows"] for table in told["tables"]}
        assert (rows["deliveries"], rows["membership_events"], rows["addresses"]) == (288, 40, 3)
        await by_hand(
            running, "update deliveries set code = 550 where seq = 2 and person like '%3'"
        )
        await by_hand(running, "delete from membership_events where seq in (5, 6)")
        await by_hand(
            running, "insert into windows by name select * from windows where seq = 3 limit 1"
        )
        code, told = await verdict(stored, capsys)
        counts = {
            each["table"]: (each["list"], each["missing"], each["extra"], each["changed"])
            for each in told["differences"]
        }
        assert code == 1
        assert counts == {
            "deliveries": (LIST, 0, 0, 1),
            "membership_events": (LIST, 2, 0, 0),
            "windows": (LIST, 0, 1, 0),
        }
        assert await verify.run(Call(file=stored.path), rows=True) == 1
        lines = capsys.readouterr().out.splitlines()
        said = " ".join(line.strip() for line in lines)
        assert "by sequence: 5 missing, 6 missing" in said
        assert "`postroad rebuild deliveries`, `postroad rebuild membership`" in said
        assert max(len(line) for line in lines if "[debug" not in line) <= 100


async def test_what_streams_lost_against_all_rules_is_a_hole(
    broker: Broker, stored: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a projector its file is read. An event that is deleted where nothing deletes is a
    hole; a ledger cut by age, and who was erased, are none."""
    await folded(broker, stored)
    await broker.api("STREAM.PURGE.DELIVERY", {"seq": 6})
    await broker.erase("PEOPLE", 2)
    await say(broker, subjects.people("key1"), PersonErased(person="p1"))
    code, told = await verdict(stored, capsys)
    assert (code, told["holes"], told["differences"]) == (0, [], []), told
    cut = {each["stream"]: each["cut"] for each in told["streams"]}
    assert cut["DELIVERY"] == 3
    await broker.erase("MEMBERSHIP", 30)
    await broker.erase("DELIVERY", 14)
    code, told = await verdict(stored, capsys)
    assert code == 1
    holes = [(each["stream"], each["first"], each["last"]) for each in told["holes"]]
    assert sorted(holes) == [("DELIVERY", 14, 14), ("MEMBERSHIP", 30, 30)]
    assert [each["rows"] for each in told["holes"] if each["stream"] == "MEMBERSHIP"] == [1]
    assert await verify.run(Call(file=stored.path)) == 1
    said = capsys.readouterr().out
    assert "Do not rebuild deliveries" in said
    assert "`postroad rebuild" not in said  # who was sent what is in the file in use alone


async def test_an_erasure_while_it_is_compared_is_no_difference(
    broker: Broker, stored: Config, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """Whom the file in use forgot meanwhile, is forgotten here as well."""
    async with projector(broker, stored) as running:
        await running.caught_up()
        ask = verify.Live.ask
        asked = 0

        async def later(live: verify.Live, span: Any) -> Any:
            nonlocal asked
            asked += span.table == "addresses"
            if asked == 1:
                await say(broker, subjects.people("key1"), PersonErased(person="p1"))
                await running.caught_up()
                asked += 1
            return await ask(live, span)

        monkeypatch.setattr(verify.Live, "ask", later)
        code, told = await verdict(stored, capsys)
        assert (code, told["differences"], asked) == (0, [], 2), told


async def test_killed_it_leaves_nothing_for_long(
    broker: Broker, stored: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a killed one left beside is gone at the next start, of it or of the projector; without
    anything to compare with, nothing is said."""
    with pytest.raises(verify.NotCompared, match="postroad up"):
        await verdict(stored, capsys)
    async with projector(broker, stored) as running:
        await running.caught_up()
        await die(stored, "verify.folded", "postroad.cli", "verify")
    assert left(tmp_path)
    await folded(broker, stored)
    assert not left(tmp_path)
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / NAME).write_bytes(b"left")
    assert (await verdict(stored, capsys))[0] == 0
    assert not left(tmp_path)


def left(place: Path) -> list[Path]:
    """What lies there of a comparison."""
    return list(place.glob(f"{FOLDER}*"))


async def test_a_ledger_that_does_not_join_is_told(
    broker: Broker, stored: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    """Windows of a chunk that overlap are told; so is a stream that ends before the file in use."""
    await publish(broker, ledger(9, 2)[:2])
    await publish(broker, ledger(9, 2)[1:2])
    await folded(broker, stored)
    with duckdb.connect(str(stored.site.state_dir / NAME)) as file:
        file.execute("update checkpoint set seq = 90 where stream = 'LISTS'")
    code, told = await verdict(stored, capsys)
    kinds = {(each["stream"], each["kind"]) for each in told["regressions"]}
    assert (code, kinds) == (1, {("DELIVERY", "window"), ("LISTS", "sequence")}), told


async def test_what_is_deleted_while_it_is_read_is_not_waited_for(
    broker: Broker, stored: Config, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """Where the last message of a stream goes just before it would be read, the end is found."""
    await folded(broker, stored)
    monkeypatch.setattr(reading, "IDLE_SECONDS", 0.2)
    follow = Broker.follow
    gone = False

    async def deleting(self: Broker, stream: str, *rest: Any) -> Any:
        nonlocal gone
        if stream == "PEOPLE" and not gone:
            gone = True
            await broker.erase("PEOPLE", 3)
        async for batch in follow(self, stream, *rest):
            yield batch

    monkeypatch.setattr(Broker, "follow", deleting)
    code, told = await verdict(stored, capsys)
    assert (code, gone, told["differences"]) == (0, True, [])
    assert [each["alone"] for each in told["tables"] if each["table"] == "addresses"] == [1]
