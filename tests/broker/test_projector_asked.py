"""A projector is waited for where one should be, and nowhere else."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from nats.aio.msg import Msg

from postroad.runtime import projector
from postroad.runtime.attach import COMMAND
from postroad.runtime.broker import Broker
from postroad.runtime.errors import Retry
from postroad.runtime.health import STATUS_SUBJECT, Report
from schemas import subjects
from schemas.questions import Piece
from tests.e2e.supervised import told_only


async def says(broker: Broker, service: str) -> None:
    """Somebody answers for a service."""

    async def answer(question: Msg) -> None:
        await question.respond(msgspec.json.encode(Report(service=service, pid=1, ready=True)))

    await broker.nc.subscribe(STATUS_SUBJECT, cb=answer)


async def test_where_nothing_runs_nobody_waits(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a broker that runs alone, with this command's own membership at most, or where the
    supervisor was told to leave the projector out, it is known at once that there is none."""
    monkeypatch.setattr(projector, "ABSENT_SECONDS", 3_600.0)
    began = time.monotonic()
    assert not await projector.answers(broker)
    with pytest.raises(Retry, match="away"):
        await projector.asking(broker)("posts_of", list="team")
    await says(broker, COMMAND)
    broker.alone = True
    assert not await projector.answers(broker)
    broker.alone = False
    await told_only(broker, ["membership"])
    assert not await projector.answers(broker)
    assert time.monotonic() - began < 1.0


async def test_one_that_is_restarted_is_waited_for(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where services run, a projector that comes within moments is asked; one that does not come
    is not waited for any longer."""
    await says(broker, "projector")  # answers for itself before it takes questions
    monkeypatch.setattr(projector, "ABSENT_SECONDS", 0.0)
    assert not await projector.answers(broker)
    monkeypatch.setattr(projector, "ABSENT_SECONDS", 30.0)
    asking = asyncio.create_task(projector.answers(broker))

    async def answer(question: Msg) -> None:
        await question.respond(b"{}")

    await broker.nc.subscribe(subjects.projector("query"), cb=answer)
    assert await asking


async def test_one_that_hangs_is_not_waited_for(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks hears of it in moments; one that is busy with the question hears others, and has
    its time."""
    monkeypatch.setattr(projector, "SILENT_SECONDS", 0.02)
    monkeypatch.setattr(projector, "DEAF_SECONDS", 0.2)
    asked: list[Msg] = []
    hears = False

    async def answer(question: Msg) -> None:
        if question.data:
            asked.append(question)
        elif hears:
            await question.respond(b"{}")
            if asked and not done.done():
                done.set_result(None)

    await broker.nc.subscribe(subjects.projector("query"), cb=answer)
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with pytest.raises(Retry, match="hangs"):
        await projector.asking(broker)("posts_of", list="team")
    hears = True
    asked.clear()
    busy = asyncio.create_task(projector.asking(broker)("posts_of", list="team"))
    await done
    await asked[0].respond(msgspec.json.encode(Piece(columns={"n": "int"}, rows=[[1]], last=True)))
    assert await busy == [{"n": 1}]
