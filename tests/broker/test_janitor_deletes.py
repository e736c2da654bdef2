"""Specification: what the janitor deletes from a real broker, and what it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.diary import Kept
from postroad.runtime.embedded import EmbeddedBroker
from postroad.runtime.errors import BrokerUnavailable, Retry
from postroad.runtime.provision import provision
from schemas import subjects
from schemas.marks import Diary
from services.janitor.evidence import Evidence
from services.janitor.sweep import Sweep, Tally
from tests.architecture.test_deploy import nats_server
from tests.broker.finishedmail import AGES, LIST, Finished, mail_id, numbers

pytestmark = pytest.mark.broker
STREAMS = ("RECEIVED", "RAW", "SEND")


@pytest.fixture
def road(broker: Broker) -> Finished:
    """What puts mails onto the streams."""
    return Finished(broker)


async def sweep(road: Finished, days: float, *, dry: bool = False) -> Tally:
    """One look, so many days after the last word on everything."""
    return await Sweep(road.broker, road.ask, AGES, dry=dry).run(await road.diary(days))


async def left(road: Finished) -> list[list[int]]:
    """The mails that RECEIVED, RAW and SEND have."""
    return [numbers(await road.left(stream)) for stream in STREAMS]


async def test_what_is_finished_goes_at_its_age(road: Finished) -> None:
    """A post's copies after a week, with the progress of their fan-out; then the mail and the
    letters after a month. Decisions and ledgers stay."""
    await road.post(1, chunks=3)
    await road.letter(2)
    await road.acknowledge()
    assert (await sweep(road, 6.9)).gone == {}
    assert (await sweep(road, 29, dry=True)).gone == {"sendings": 2}
    assert await left(road) == [[1], [1, 2], [1, 2]]
    assert (await sweep(road, 29)).gone == {"sendings": 2}
    assert await left(road) == [[1], [1, 2], []]
    assert (await sweep(road, 29)).gone == {}
    assert (await sweep(road, 31)).gone == {"mails": 2}
    assert await left(road) == [[], [], []]
    assert len(await road.left("ROUTED")) == 2
    assert len(await road.left("DELIVERY")) == 4
    assert (await sweep(road, 400)).gone == {}


async def test_what_is_not_finished_stays(road: Finished) -> None:
    """However old: of two lists one that holds it; chunks with an open ledger, none, or a schedule;
    a fan-out that goes on; what a consumer has not acknowledged; what is parked."""
    await road.post(1)
    await road.held(1, list_="crew")
    await road.mail(2)
    await road.queued(2)
    await road.fanned_out(2)
    await road.sent(2, "0", finished=False)
    await road.mail(3)
    await road.queued(3, chunks=2)
    await road.fanned_out(3, chunks=2)
    await road.sent(3, "0")
    await road.post(4)
    await road.broker.publish(
        subjects.retry(LIST, mail_id(4), "0r1"),
        b"{}",
        headers={
            "Nats-Schedule": "@at 2099-01-01T00:00:00Z",
            "Nats-Schedule-Target": subjects.send("bulk", LIST, mail_id(4), "0r1"),
        },
    )
    await road.mail(5)
    await road.queued(5)
    await road.sent(5, "0")
    await road.mail(6)
    await road.post(7)
    await road.park(subjects.send("now", LIST, mail_id(7), "0"), "sender-now")
    await road.acknowledge()
    await road.mail(8)  # the router is at it
    await road.post(9)
    found = await sweep(road, 89)
    assert await left(road) == [
        [1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 2, 3, 4, 5, 6, 7, 8, 9],
        [2, 3, 4, 5, 7],
    ]
    assert found.gone == {"sendings": 2}  # of the first and the last
    assert found.kept["sendings"] == {"sending": 2, "scheduled": 1, "underway": 1, "parked": 1}
    assert found.kept["mails"] == {
        "held": 1,
        "sending": 3,
        "underway": 1,
        "undecided": 3,
        "parked": 1,
    }


async def test_what_comes_after_the_look_stays(road: Finished) -> None:
    """A deletion names the last sequence that was looked at: copies that somebody has queued once
    more in the meantime go out."""
    await road.post(1)
    await road.acknowledge()
    purge = road.broker.purge

    async def late(stream: str, subject_filter: str, upto: int) -> int:
        if stream == "SEND" and "send" in subject_filter:
            await road.chunk(1, "f1-0")
        return await purge(stream, subject_filter, upto)

    road.broker.purge = late  # type: ignore[method-assign]
    await sweep(road, 8)
    assert await road.left("SEND") == [subjects.send("now", LIST, mail_id(1), "f1-0")]
    assert (await sweep(road, 40)).gone == {}
    assert await left(road) == [[1], [1], [1]]


async def test_what_merely_waits_is_not_read_again_and_again(road: Finished) -> None:
    """Of copies that are scheduled, and of held mail, a second look reads nothing, until what was
    recorded meanwhile could be old; copies that go let their mail go in the same look."""
    await road.post(1)
    await road.broker.publish(
        subjects.retry(LIST, mail_id(1), "0r1"),
        b"{}",
        headers={
            "Nats-Schedule": "@at 2099-01-01T00:00:00Z",
            "Nats-Schedule-Target": subjects.send("bulk", LIST, mail_id(1), "0r1"),
        },
    )
    await road.mail(2)
    await road.held(2)
    await road.acknowledge()
    asked = []

    async def ask(name: str, /, **parameters: Any) -> list[dict[str, Any]]:
        asked.append(name)
        return await road.ask(name, **parameters)

    look, diary = Sweep(road.broker, ask, AGES), await road.diary(31)
    first = await look.run(diary)
    assert first.kept == {"sendings": {"scheduled": 1}, "mails": {"held": 1, "sending": 1}}
    asked.clear()
    assert (await look.run(diary)).kept == first.kept
    assert asked == []
    retry = await road.broker.last("SEND", subjects.retry(LIST, mail_id(1), "*"))
    assert retry is not None
    await road.broker.erase("SEND", retry.seq)
    await road.post(3)
    await road.acknowledge()
    assert (await look.run(await road.diary(31))).gone == {"sendings": 2, "mails": 2}


async def test_a_look_cut_short_is_finished_by_the_next(road: Finished) -> None:
    """Whichever deletion is the last that was made."""
    purge, cut = road.broker.purge, 0

    async def mortal(stream: str, subject_filter: str, upto: int) -> int:
        nonlocal cut
        cut -= 1
        if cut == 0:
            raise BrokerUnavailable("killed here")
        return await purge(stream, subject_filter, upto)

    road.broker.purge = mortal  # type: ignore[method-assign]
    for last in range(1, 8):
        await road.post(2 * last, chunks=2)
        await road.letter(2 * last + 1)
        await road.acknowledge()
        cut = last
        with pytest.raises(BrokerUnavailable):
            await sweep(road, 31)
        assert await left(road) != [[], [], []]
        await sweep(road, 31)
        assert await left(road) == [[], [], []]


async def test_without_the_projector_nothing_goes(road: Finished) -> None:
    """Nor where it knows of nothing, as when it is folded anew; but what nobody has said anything
    of for 90 days."""
    await road.post(1)
    await road.acknowledge()

    async def away(_: str, /, **__: Any) -> list[dict[str, Any]]:
        raise Retry("the projector is away")

    goals = []

    async def empty(
        _: str, /, *, after: Mapping[str, int] | None = None, **__: Any
    ) -> list[dict[str, Any]]:
        goals.append(after)
        return []

    with pytest.raises(Retry):
        await Sweep(road.broker, away, AGES).run(await road.diary(31))
    found = await Sweep(road.broker, empty, AGES).run(await road.diary(31))
    assert (found.gone, found.kept["sendings"]) == ({}, {"unknown": 1})
    assert goals[0] == {"RECEIVED": 1, "ROUTED": 2, "SEND": 1, "DELIVERY": 1}
    assert await left(road) == [[1], [1], [1]]
    found = await Sweep(road.broker, empty, AGES).run(await road.diary(91))
    assert found.gone == {"sendings": 1, "mails": 1}


@pytest.mark.own_broker
async def test_parked_messages_go_once_somebody_resolved_them(
    road: Finished, server: EmbeddedBroker
) -> None:
    """One that is dropped lets its mail go at its age, and goes itself when that has; one that was
    put back, when it is old; one that nobody resolved stays. They are overwritten."""
    names = []
    for number in (1, 2, 3):
        await road.post(number)
        await road.mail(number + 3)
        await road.queued(number + 3)
        await road.fanned_out(number + 3)
        subject = subjects.send("now", LIST, mail_id(number + 3), "0")
        names.append(await road.park(subject, "sender-now"))
    await road.resolve(names[0], "dropped")
    await road.resolve(names[1], "requeued")
    await road.sent(5, "0")
    await road.acknowledge()
    found = await sweep(road, 31)
    assert await left(road) == [[6], [6], [6]]
    assert found.kept["parked"] == {"parked": 1, "young": 2}
    assert len(await road.left("DEADLETTER")) == 8
    found = await sweep(road, 91)
    assert found.gone == {"parked": 2}
    assert found.kept["parked"] == {"parked": 1}
    assert [name for name in await road.left("DEADLETTER") if "ADVISORY" not in name] == [names[2]]
    assert len(await road.left("DEADLETTER")) == 2
    last = await road.broker.last("DEADLETTER", names[2])
    assert last is not None
    await road.broker.erase("DEADLETTER", last.seq)  # as an operator did before there was a command
    await sweep(road, 91)
    assert await road.left("DEADLETTER") == []
    assert not any(b"a secret" in path.read_bytes() for path in blocks(server, "DEADLETTER"))


def blocks(server: EmbeddedBroker, stream: str) -> list[Path]:
    """The files of a stream's messages."""
    return list(server.home.rglob(f"{stream}/msgs/*.blk"))


async def test_its_rights_on_an_own_broker_are_enough(tmp_path: Path) -> None:
    """The user `janitor` of deploy/nats may do all that it does, and no more is given to it than
    to read, to ask the projector, and to delete."""
    async with nats_server(tmp_path) as (port, _):
        url = "nats://{0}:{0}@127.0.0.1:" + str(port)
        async with (
            await Broker.connect(url.format("operator"), name="test") as operator,
            await Broker.connect(url.format("janitor"), name="janitor") as broker,
        ):
            await provision(operator)
            road = Finished(operator)
            await road.post(1, chunks=2)
            await road.mail(2)
            name = await road.park(subjects.received("box", mail_id(2)), "router")
            await road.resolve(name, "dropped")
            await road.acknowledge()
            diary, kept = await road.diary(91), Kept(broker)
            await kept.load()
            assert await kept.store(diary)
            assert await Evidence(broker).ends() == (diary.marks[0].ends, diary.born)
            found = await Sweep(broker, road.ask, AGES).run(diary)
            assert found.gone == {"sendings": 1, "mails": 2, "parked": 1}
            assert await left(road) == [[], [], []]
            assert await road.left("DEADLETTER") == []


async def test_one_janitor_at_a_time_counts(broker: Broker, server: EmbeddedBroker) -> None:
    """What is stored survives a kill -9 of the broker; of two janitors, time is counted by the one
    that wrote last, and a diary that nobody can read begins anew."""
    first, second = Kept(broker), Kept(broker)
    assert await first.load() == await second.load() == Diary()
    assert await first.store(Diary(lived=60.0))
    assert not await second.store(Diary(lived=61.0))
    assert second.diary == Diary(lived=60.0)
    assert await second.store(Diary(lived=120.0))
    assert not await first.store(Diary(lived=120.0))
    assert server.process is not None
    server.process.kill()
    await server.process.wait()
    await server.start()
    assert await first.load() == Diary(lived=120.0)
    await broker.publish(subjects.janitor_marks(), b'{"lived": "for ever"}')
    assert await first.load() == Diary()
