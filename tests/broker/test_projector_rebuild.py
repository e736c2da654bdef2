"""A rebuild makes the same rows, keeps what only the old file knows, and harms nothing."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, now
from postroad.runtime.diary import Kept
from projections import catalog
from projections.warehouse import NAME
from schemas import codec, subjects
from schemas.envelope import Event
from schemas.marks import Diary, Mark
from schemas.people import PersonErased, PersonKnown
from schemas.subjects import DAY
from services.projector import keeper
from tests.broker.projecting import (
    Projecting,
    die,
    ledger,
    member,
    projector,
    publish,
    settings,
    until,
)

EVERYTHING = """
    select (select sum(hash(w)::hugeint) from windows w),
        (select sum(hash(d)::hugeint) from deliveries d),
        (select sum(hash(m)::hugeint) from membership_events m),
        (select count(*) from deliveries), (select count(*) from membership_events)
"""


async def rebuild(running: Projecting, *names: str) -> None:
    """Have these folded anew, and wait until the new file is in use."""
    before = running.keeper.held.feed
    job = running.keeper.rebuild(names)
    await until(lambda: job.state == "failed" or running.keeper.held.feed is not before)
    assert job.state == "done", job.error


async def purge(broker: Broker, stream: str, below: int) -> None:
    """The stream keeps nothing below this sequence any more."""
    await broker.api(f"STREAM.PURGE.{stream}", {"seq": below})


async def stored(broker: Broker) -> None:
    """Two streams with something in them."""
    await publish(broker, [member(number) for number in range(50)])
    await publish(broker, [entry for chunk in range(10) for entry in ledger(chunk, 3)])


async def test_the_same_rows_while_more_come(broker: Broker, tmp_path: Path) -> None:
    """Events that come while a projection is folded anew are in the new file, each once, whether
    they are of that projection or of another."""
    await stored(broker)
    async with projector(broker, settings(tmp_path)) as running:
        await running.caught_up()
        coming = asyncio.create_task(publish(broker, [member(n) for n in range(50, 80)]))
        await rebuild(running, "deliveries")
        await coming
        await publish(broker, ledger(10, 3))
        before = await running.rows(EVERYTHING)
        await rebuild(running, "deliveries", "membership")
        assert await running.rows(EVERYTHING) == before
        assert before[0][3:] == (11 * 3 * 16, 80)
    assert not (tmp_path / f"{NAME}.new").exists()


async def test_asked_for_as_the_last_one_ends(broker: Broker, tmp_path: Path) -> None:
    """A rebuild that is asked for before the streams are followed anew behind another one is
    done."""
    await stored(broker)
    async with projector(broker, settings(tmp_path)) as running:
        await running.caught_up()
        first = running.keeper.rebuild(("membership",))
        while first.state == "running":  # noqa: ASYNC110  each turn of the loop counts
            await asyncio.sleep(0)
        second = running.keeper.rebuild(("deliveries",))
        await until(lambda: second.state != "running")
        assert (first.state, second.state, second.error) == ("done", "done", "")


async def test_what_streams_keep_no_more_is_carried_over(broker: Broker, tmp_path: Path) -> None:
    """Rows of events that are gone stay, with a chunk whose ledger is cut in the middle, of which
    only the old file knows the people; so do rows of events that were deleted between others."""
    await stored(broker)
    async with projector(broker, settings(tmp_path)) as running:
        before = await running.rows(EVERYTHING)
        await purge(broker, "DELIVERY", 6)  # behind the first entry of the second chunk
        await broker.erase("MEMBERSHIP", 30)
        await purge(broker, "MEMBERSHIP", 21)
        await rebuild(running, "deliveries", "membership")
        assert await running.rows(EVERYTHING) == before
        await purge(broker, "MEMBERSHIP", 51)
        await rebuild(running, "membership")
        assert await running.rows(EVERYTHING) == before


@pytest.mark.parametrize("point", ["rebuild.read", "rebuild.finishing"])
async def test_killed_in_the_middle_nothing_is_harmed(
    broker: Broker, tmp_path: Path, point: str
) -> None:
    """The file in use is as it was, and what the killed one left is gone at the next start."""
    await stored(broker)
    config = settings(tmp_path)
    async with projector(broker, config) as running:
        before = await running.rows(EVERYTHING)
    await die(config, point, "postroad.cli", "rebuild", "deliveries")
    assert (tmp_path / f"{NAME}.new").exists()
    async with projector(broker, config) as running:
        assert not (tmp_path / f"{NAME}.new").exists()
        assert await running.rows(EVERYTHING) == before


async def test_another_version_is_folded_anew_by_itself(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade that changes a projection its tables are made of all events again, and
    nobody has to ask; so are those of a projection that is new."""
    await stored(broker)
    config = settings(tmp_path)
    told = catalog.projections()
    monkeypatch.setattr(keeper, "projections", lambda: tuple(p for p in told if p.name != "lists"))
    async with projector(broker, config) as running:
        before = await running.rows(EVERYTHING)

    def changed(projection: Any) -> Any:
        name = projection.name
        return (
            msgspec.structs.replace(projection, version=7) if name == "deliveries" else projection
        )

    monkeypatch.setattr(keeper, "projections", lambda: tuple(map(changed, told)))
    async with projector(broker, config) as running:
        await until(lambda: (job := running.keeper.job) and job.progress.state == "done")
        assert await running.rows(EVERYTHING) == before
        assert running.keeper.held.warehouse.stale == set()


async def test_an_erasure_leaves_nothing_in_the_file(broker: Broker, tmp_path: Path) -> None:
    """Where tables hold addresses, the file is written anew behind an erasure: not even room that
    is marked as free holds the address."""
    address = "ann.of.the.green.gables@example.net"
    known = PersonKnown(person="p1", address=address)
    subject = subjects.people("key1")
    seq = await say(broker, subject, known)
    await publish(broker, [member(number) for number in range(20)])
    config = settings(tmp_path, "[analytics]\naddresses = true\n")
    async with projector(broker, config) as running:
        assert await running.rows("select address from addresses") == [(address,)]
        await broker.erase("PEOPLE", seq)
        await say(broker, subject, PersonErased(person="p1"))
        await running.caught_up()
        await until(lambda: not (tmp_path / f"{NAME}.erase").exists())
        await until(lambda: not holding(tmp_path, address))  # the copies follow
        assert (await running.rows("select count(*) from membership_events")) == [(20,)]
    assert not holding(tmp_path, address)


def holding(place: Path, text: str) -> list[Path]:
    """The DuckDB files that have this somewhere."""
    found = []
    for path in place.rglob("*.duckdb*"):
        with contextlib.suppress(FileNotFoundError):  # one that was just replaced
            if text.encode() in path.read_bytes():
                found.append(path)
    return found


async def say(broker: Broker, subject: str, event: Event) -> int:
    """Store an event; its sequence."""
    return await broker.publish(subject, codec.encode(envelope([event], correlation="test")))


async def test_rows_about_mail_are_kept_so_long(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that are older than `keep` go, by the clock and by time lived through: a clock that is
    set deletes nothing. Who was on which list stays."""
    await stored(broker)
    async with projector(broker, settings(tmp_path)) as running:
        await running.caught_up()
        warehouse, kept = running.keeper.held.warehouse, Kept(broker)
        mark = Mark(at=0.0, ends={"DELIVERY": warehouse.checkpoints["DELIVERY"]})
        for lived, ahead in ((399, 500), (401, 0)):
            assert await kept.store(Diary(lived=lived * DAY, marks=(mark,)))
            monkeypatch.setattr(keeper, "now", lambda ahead=ahead: now() + timedelta(days=ahead))
            assert await warehouse.prune(await running.keeper._old(warehouse)) == 0
        monkeypatch.setattr(keeper, "now", lambda: now() + timedelta(days=500))
        assert await warehouse.prune(await running.keeper._old(warehouse)) == 10 * 3 * 17
        assert (await running.rows(EVERYTHING))[0][3:] == (0, 50)
