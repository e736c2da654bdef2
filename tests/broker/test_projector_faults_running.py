"""What befalls the projector's file while it is in use: it notices by itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from postroad.runtime.broker import Broker
from postroad.runtime.errors import Retry
from postroad.runtime.health import Fact, Health
from projections.warehouse import NAME
from projections.watched import HEADERS
from tests.broker.projecting import Projecting, ledger, member, projector, publish, settings, until

COUNTS = "select (select count(*) from membership_events), (select count(*) from deliveries)"


def cut(path: Path) -> None:
    """Truncate it."""
    os.truncate(path, 100_000)


def overwrite(path: Path) -> None:
    """Put something else into it."""
    path.write_text("hello world\n")


def scribble(path: Path) -> None:
    """Change some octets of each block, behind the headers."""
    with path.open("r+b") as file:
        for at in range(HEADERS + 1000, path.stat().st_size, 65_536):
            file.seek(at)
            file.write(os.urandom(400))


DAMAGES: tuple[tuple[Callable[[Path], None], str], ...] = (
    (cut, "was cut from"),
    (overwrite, "was cut from"),
    (Path.unlink, "was deleted"),
    (scribble, "checksum"),
)


def moved(health: Health, times: int) -> bool:
    """Whether so many files were begun anew."""
    return health.answer().counts.get("moved_aside") == times


def left(place: Path) -> int:
    """How many files lie aside."""
    return len([path for path in place.glob(f"{NAME}.corrupt-*") if path.suffix != ".wal"])


async def copied(running: Projecting) -> None:
    """Ask for copies for analysts."""
    with suppress(Retry):
        await running.keeper.held.snapshots.refresh()


async def test_damage_while_it_runs(broker: Broker, tmp_path: Path) -> None:
    """A file that is cut, overwritten, deleted or scribbled on in use is moved aside where there is
    one, people are told which file and what is done, and all is folded into a new one."""
    told: list[str] = []

    def tell(fact: Fact) -> None:
        if fact.alarm:
            told.append(f"{fact.name} {fact.alarm}")

    await publish(broker, [entry for chunk in range(20) for entry in ledger(chunk, 8)])
    async with projector(broker, settings(tmp_path)) as running:
        health = running.context.health
        health.tell = tell
        for number, (damage, reason) in enumerate(DAMAGES, 1):
            await publish(broker, [member(number)])
            assert await running.rows(COUNTS) == [(2 * number - 1, 20 * 8 * 16)]
            await copied(running)
            damage(tmp_path / NAME)
            await publish(broker, [member(100)])
            if damage is scribble:
                await running.caught_up()
                await copied(running)
            await until(partial(moved, health, number))
            assert any(NAME in line and reason in line and "folded anew" in line for line in told)
            told.clear()
            assert (await running.rows(COUNTS))[0][1] == 20 * 8 * 16
    assert left(tmp_path) == len(DAMAGES) - 1
