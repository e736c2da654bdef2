"""Group commit: stored together, answered apart."""

from __future__ import annotations

import asyncio

from postroad.runtime.broker import Broker
from postroad.runtime.embedded import EmbeddedBroker
from postroad.runtime.errors import Conflict
from postroad.runtime.groupcommit import MOST

CROWD = 3 * MOST


async def _publish_all(broker: Broker, subjects: list[str]) -> list[int | BaseException]:
    """A message to each subject, all at once, its own subject in it."""
    return await asyncio.gather(
        *(broker.publish(subject, subject.encode(), expect=0) for subject in subjects),
        return_exceptions=True,
    )


async def _data(broker: Broker) -> dict[int, str]:
    return {m.seq: m.data.decode() async for m in broker.scan("MEMBERSHIP", "membership.>")}


async def test_each_learns_its_own_sequence(broker: Broker, server: EmbeddedBroker) -> None:
    """Whoever publishes in a crowd gets the sequence of its own message, whoever else publishes."""
    async with await Broker.connect(server.reach.url, name="other") as other:
        mine = [f"membership.mine.{n}" for n in range(CROWD)]
        theirs = [f"membership.theirs.{n}" for n in range(CROWD)]
        answers = await asyncio.gather(_publish_all(broker, mine), _publish_all(other, theirs))
    stored = await _data(broker)
    assert [stored.get(seq) for seq in answers[0]] == mine  # type: ignore[arg-type]
    assert [stored.get(seq) for seq in answers[1]] == theirs  # type: ignore[arg-type]
    assert len(stored) == 2 * CROWD


async def test_a_conflict_is_nobody_elses(broker: Broker) -> None:
    """One whose expectation fails is told so, and all others in the crowd are stored."""
    await broker.publish("membership.team.7", b"before", expect=0)
    answers = await _publish_all(broker, [f"membership.team.{n}" for n in range(100)])
    assert [n for n, answer in enumerate(answers) if isinstance(answer, Conflict)] == [7]
    assert all(isinstance(answer, int) for n, answer in enumerate(answers) if n != 7)
    assert len(await _data(broker)) == 100


async def test_of_two_for_one_subject_one_wins(broker: Broker) -> None:
    """Two of a crowd that want to be the first of one subject cannot both be."""
    twice = [f"membership.team.{n % 50}" for n in range(100)]
    answers = await _publish_all(broker, twice)
    assert sum(isinstance(answer, Conflict) for answer in answers) == 50
    assert sorted((await _data(broker)).values()) == sorted(set(twice))


async def test_a_dead_broker_stores_none_twice(broker: Broker, server: EmbeddedBroker) -> None:
    """A broker killed among groups of messages has each of them once when it is back, and each
    publisher the sequence of its own."""
    assert server.process is not None
    names = [f"membership.team.{n}" for n in range(CROWD)]
    publishing = asyncio.create_task(_publish_all(broker, names))
    async for _ in broker.follow("MEMBERSHIP", "membership.>"):
        break  # some are stored, most are not
    server.process.kill()
    await server.process.wait()
    await server.start()
    answers = await publishing
    stored = await _data(broker)
    assert [stored.get(seq) for seq in answers] == names  # type: ignore[arg-type]
    assert len(stored) == CROWD


async def test_who_gives_up_holds_up_nobody(broker: Broker) -> None:
    """Publishers that are cancelled while they wait leave the others' messages as they are."""
    names = [f"membership.team.{n}" for n in range(200)]
    tasks = [asyncio.create_task(broker.publish(name, name.encode(), expect=0)) for name in names]
    await asyncio.sleep(0)  # all wait
    for task in tasks[::2]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    stored = await _data(broker)
    assert [stored.get(seq) for seq in answers[1::2]] == names[1::2]  # type: ignore[arg-type]
    assert await broker.publish("membership.team.after", b"x", expect=0)
