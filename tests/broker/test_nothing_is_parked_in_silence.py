"""Alarms of one who looks at a real broker: what is parked, and who tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import pytest

from postroad.alarms import Notice
from postroad.runtime.alarms import standin
from postroad.runtime.alarms.telling import Errand, Telling
from postroad.runtime.alarms.watch import Watch
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.consume import Delivery
from postroad.runtime.errors import Reject
from postroad.runtime.service import running
from schemas import subjects
from tests.broker.finishedmail import Finished, mail_id
from tests.broker.test_consume import consuming
from tests.e2e.supervised import told_only
from tests.e2e.system import until


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Notice]:
    """What people are told."""
    notices: list[Notice] = []

    def tell(_: Telling, errands: Iterable[Errand]) -> None:
        for errand in [*errands]:
            notices.append(errand.notice)
            errand.taken()

    monkeypatch.setattr(Telling, "tell", tell)
    return notices


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Settings without mailbox and relay; what was told lies in a folder of its own."""
    file = tmp_path / "postroad.toml"
    file.write_text(
        f'[site]\ndomain = "example.org"\nstate_dir = "{tmp_path}"\n[alarm]\ncommand = "x"\n'
    )
    return Config.load(file, {})


def about_parked(told: list[Notice]) -> list[tuple[str, str]]:
    """What of it is about DEADLETTER, and forgets it."""
    lines: list[tuple[str, str]] = [
        (each.state, each.text) for each in told if each.alarm == "parked"
    ]
    told.clear()
    return lines


async def test_nothing_is_parked_without_an_alarm(
    broker: Broker, config: Config, told: list[Notice]
) -> None:
    """Whatever is parked is told, whoever parked it and whoever looked meanwhile: the first, one
    that takes the place of another between two looks, and what was parked while nobody looked. A
    restart repeats nothing, and the all-clear comes when all are resolved."""
    await told_only(broker, ())
    watch, road = Watch(config, broker), Finished(broker)
    await watch.look()
    assert not about_parked(told)

    async def rejects(_: Delivery) -> None:
        raise Reject("it cannot be read")

    await road.mail(1)
    async with consuming(broker, rejects) as health:

        async def is_parked() -> bool:
            return health.answer().counts.get("parked", 0) == 1

        await until(is_parked, "it is parked")
    await watch.look()
    ((state, first),) = about_parked(told)
    assert state == "raised"
    assert "1 message is parked" in first
    assert "cannot be read" not in first  # a reason may hold anything

    await Watch(config, broker).look()  # as after a restart
    assert not about_parked(told)

    found = await broker.last("DEADLETTER", "deadletter.>")
    assert found is not None
    await road.resolve(found.subject, "dropped")
    await road.mail(2)
    second = await road.park(subjects.received("box", mail_id(2)), "fanout")
    later(watch, 61)
    await watch.look()
    ((state, other),) = about_parked(told)
    assert state == "raised"
    assert "1 message is parked" in other
    assert other != first

    await road.resolve(second, "requeued")
    await watch.look()
    assert about_parked(told) == [("cleared", "stream DEADLETTER has nothing parked any more")]


def later(watch: Watch, seconds: float) -> None:
    """What was told was told so long ago."""
    standing = watch.book.read().values()
    watch.book.write(msgspec.structs.replace(e, told=e.told and e.told - seconds) for e in standing)


async def test_what_a_person_must_mend_is_told_the_moment_it_happens(
    broker: Broker, config: Config, told: list[Notice]
) -> None:
    """A service tells of itself: nobody waits for the next look, and what another process of it
    raised is cleared by the one after it."""
    watch = Watch(config, broker)

    async def is_told(*states: str) -> None:
        async def has() -> bool:
            return [each.state for each in told] == [*states]

        await until(has, f"people are told {states}")

    async with watch.hearing():
        await broker.nc.flush()
        async with running("sender", config, broker) as first:
            report: Callable[..., None] = first.health.report
            report("relay", "out", ok=False, detail="cannot be reached")
            report("relay", "out", ok=False, detail="refused the login", alarm=True)
            report("relay", "out", ok=False, detail="refused the login", alarm=True)
            await is_told("raised")
            assert told[0].text == "relay out: refused the login"
        async with running("sender", config, broker) as second:
            second.health.report("relay", "out", ok=True, detail="not used yet", untried=True)
            second.health.report("relay", "out", ok=True)
            await is_told("raised", "cleared")


async def test_the_supervisor_stands_in_for_a_monitor_that_is_away(
    broker: Broker, config: Config, told: list[Notice], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the monitor gives no sign of life the supervisor looks, and tells of that and of all
    else; the monitor that comes back gives the all-clear."""
    monkeypatch.setattr(standin, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(standin, "ALIVE_SECONDS", 0.1)
    monkeypatch.setattr(standin, "START_SECONDS", 0.1)
    await told_only(broker, ())
    road = Finished(broker)
    await road.mail(1)
    await road.park(subjects.received("box", mail_id(1)), "router")
    task = asyncio.create_task(standin.stand_in(config, broker, expected=True))

    async def both_are_told() -> bool:
        return {"monitor", "parked"} <= {each.alarm for each in told}

    await until(both_are_told, "the supervisor tells")
    task.cancel()
    told.clear()
    await Watch(config, broker).look()
    assert [(each.state, each.alarm) for each in told] == [("cleared", "monitor")]
