"""What befalls the projector's file: kills, a full disk, damage, another broker, a rival."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.errors import PostroadError
from projections.warehouse import NAME
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

POINTS = ("projector.folded", "warehouse.filled", "projector.stored")
KILLS = 20 if os.environ.get("POSTROAD_CHAOS") == "all" else len(POINTS)
COUNTS = """
    select (select count(*) from membership_events),
        (select count(distinct seq) from membership_events),
        (select count(*) from windows), (select count(*) from deliveries),
        (select count(distinct (seq, person)) from deliveries)
"""


async def test_killed_in_mid_batch_each_event_has_its_rows_once(
    broker: Broker, tmp_path: Path
) -> None:
    """Killed again and again, before a batch is stored, while it is, and behind that: there is a
    row for every event, and none twice."""
    config = settings(tmp_path)
    for number in range(KILLS):
        await publish(broker, [member(5 * number + n) for n in range(5)])
        await publish(broker, ledger(number, 2))
        point = POINTS[number % len(POINTS)]
        await die(config, point, "postroad.cli.serve", "projector")
    async with projector(broker, config) as running:
        assert await running.rows(COUNTS) == [
            (KILLS * 5, KILLS * 5, KILLS * 2, KILLS * 2 * 16, KILLS * 2 * 16)
        ]


@contextmanager
def no_room(path: Path) -> Iterator[None]:
    """No file of this process can grow beyond what this one has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def told(running: Projecting) -> str:
    """What status says of the file; empty where it is well."""
    facts = running.context.health.answer().facts
    return next((f.detail for f in facts if f.name == NAME and not f.ok), "")


def behind(running: Projecting) -> int:
    """How many events of MEMBERSHIP status says to be waiting."""
    facts = running.context.health.answer().facts
    return next(int(fact.facts["lag"]) for fact in facts if fact.name == "MEMBERSHIP")


async def test_a_full_disk_is_waited_for(broker: Broker, tmp_path: Path) -> None:
    """Without room the projector says so, and how much waits for that, and goes on when there is
    some; nothing is missing, and nothing there twice."""
    config = settings(tmp_path)
    async with projector(broker, config) as running:
        await publish(broker, [member(n) for n in range(100)])
        await running.caught_up()
        with no_room(tmp_path / f"{NAME}.wal"):
            await publish(broker, [member(n) for n in range(100, 200)])
            await until(lambda: "no room" in told(running))
            await until(lambda: behind(running) == 100)
        await until(lambda: not told(running))
        assert (await running.rows(COUNTS))[0][:2] == (200, 200)


def spoil(path: Path) -> None:
    """Overwrite what the tables hold, behind the headers, in the middle."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        for at in range(3 * 4096 + 262_144, size - 262_144, 65_536):
            file.seek(at)
            file.write(os.urandom(512))


def aside(place: Path, why: str) -> list[Path]:
    """The files that were moved aside for this."""
    return [*place.glob(f"{NAME}.{why}-*")]


async def test_damage_that_a_question_finds(broker: Broker, tmp_path: Path) -> None:
    """Where blocks of a file that opened well turn out to be damaged, it is moved aside, all is
    folded into a new one, and status and the log say so."""
    config = settings(tmp_path)
    async with projector(broker, config) as running:
        await publish(broker, [entry for chunk in range(100) for entry in ledger(chunk, 8)])
        counts = await running.rows(COUNTS)
    spoil(tmp_path / NAME)
    async with projector(broker, config) as running:
        with suppress(duckdb.Error):
            await running.question("person_deliveries", person=f"{1:032x}", limit=10)
        await until(lambda: running.context.health.answer().counts.get("moved_aside"))
        assert await running.rows(COUNTS) == counts
    assert len(aside(tmp_path, "corrupt")) == 1


async def test_a_file_of_other_streams(broker: Broker, tmp_path: Path) -> None:
    """A file that stands beyond the end of a stream, or of a stream that was made anew, is moved
    aside with its rows, and what there is is folded."""
    config = settings(tmp_path)
    async with projector(broker, config) as running:
        await publish(broker, [member(n) for n in range(20)])
        await running.caught_up()
    stream = (await broker.api("STREAM.INFO.MEMBERSHIP"))["config"]
    await broker.api("STREAM.DELETE.MEMBERSHIP")
    await broker.api("STREAM.CREATE.MEMBERSHIP", stream)
    await publish(broker, [member(n) for n in range(3)])
    async with projector(broker, config) as running:
        assert (await running.rows(COUNTS))[0][:2] == (3, 3)
        assert running.context.health.answer().counts["moved_aside"] == 1
    (other,) = aside(tmp_path, "other")
    with duckdb.connect(str(other), read_only=True) as connection:
        assert connection.execute("select count(*) from membership_events").fetchone() == (20,)


async def test_the_second_is_told_who_has_the_file(broker: Broker, tmp_path: Path) -> None:
    """Of two projectors on one file the second ends and names the process of the first."""
    config = settings(tmp_path)
    async with projector(broker, config):
        with pytest.raises(PostroadError, match=f"process {os.getpid()} has .*{NAME} open"):
            async with projector(broker, config):
                pass
