"""A projector in the process of the test, and streams to fold."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from postroad.runtime.broker import Broker, Message
from postroad.runtime.clock import envelope
from postroad.runtime.config import Config
from postroad.runtime.service import Context, running
from projections.reading import Answer
from schemas import codec, subjects
from schemas.membership import MemberSubscribed
from schemas.questions import Piece, Question
from schemas.road import Intent, Outcome, WindowRecorded
from services.projector.endpoints import serving
from services.projector.keeper import Keeper
from tests.peers import forkserver

SETTINGS = """
[site]
domain = "lists.example.org"
state_dir = "{state_dir}"
"""
LIST = "team-example-org"
MAIL = "0199d2c64d3070008000000000000001"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def settings(place: Path, more: str = "") -> Config:
    """Settings of an installation whose state lies there."""
    file = place / "postroad.toml"
    file.write_text(SETTINGS.format(state_dir=place) + more)
    return Config.load(file, {})


class Projecting:
    """A projector that runs."""

    def __init__(self, context: Context, keeper: Keeper) -> None:
        self.context = context
        self.keeper = keeper

    async def rows(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """What the file answers once everything that was stored is folded."""
        await self.caught_up()
        return (await self.ask(sql, **parameters)).rows

    async def ask(self, sql: str, **parameters: Any) -> Answer:
        """What the file answers now."""
        return await self.keeper.held.warehouse.read(sql, parameters, 100_000)

    async def question(self, name: str, **parameters: Any) -> str:
        """Why a named question is refused, as whoever asks is told; empty where it is answered."""
        data = msgspec.json.encode(Question(name=name, parameters=parameters))
        reply = await self.context.broker.request(subjects.projector("query"), data)
        return msgspec.json.decode(reply, type=Piece).refused

    async def caught_up(self) -> None:
        """Wait until all that is stored is folded, by whatever file there is."""
        while True:
            try:
                async with asyncio.timeout(1):
                    return await self.keeper.held.feed.catch_up()
            except Exception:  # noqa: BLE001  another file may have come meanwhile
                await asyncio.sleep(0.05)


@asynccontextmanager
async def projector(broker: Broker, config: Config) -> AsyncIterator[Projecting]:
    """Run one for the length of the block."""
    async with running("projector", config, broker) as context:
        keeper = Keeper(context)
        task = asyncio.create_task(keeper.run())
        trying = asyncio.create_task(keeper.tried.wait())
        await asyncio.wait({task, trying}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        try:
            async with serving(context, keeper):
                yield Projecting(context, keeper)
        finally:
            task.cancel()
            await asyncio.wait({task})


def member(number: int) -> Message:
    """Somebody joins."""
    person = f"{number:032x}"
    event = MemberSubscribed()
    stored = codec.encode(envelope([event], correlation="test", actor="operator"))
    return Message(subjects.membership(LIST, person), stored)


def ledger(chunk: int, windows: int, people: int = 16) -> list[Message]:
    """The ledger of a chunk: an entry names the people of a window, the next tells the outcome."""
    subject = subjects.delivery(LIST, MAIL, str(chunk))
    entries = []
    for number in range(windows + 1):
        start = number * people
        outcome = Outcome(start=start - people, end=start, code=250, text="2.0.0 Ok", ms=5)
        whom = tuple(f"{chunk * windows * people + start + n:032x}" for n in range(people))
        event = WindowRecorded(
            mail_id=MAIL,
            list=LIST,
            chunk=str(chunk),
            outcome=outcome if number else None,
            intent=Intent(start=start, end=start + people, people=whom)
            if number < windows
            else None,
            relay="smtp",
            finished=number == windows,
        )
        data = codec.encode(envelope([event], correlation="test"))
        entries.append(Message(subject, data, expect=None if number else 0))
    return entries


async def publish(broker: Broker, messages: Sequence[Message]) -> None:
    """Store them, in order."""
    for at in range(0, len(messages), 1000):
        await broker.publish_batch(messages[at : at + 1000])


async def die(config: Config, point: str, *words: str) -> None:
    """Run a command in a process of its own until it kills itself at this point."""
    with (config.path.parent / "log").open("ab") as log:
        process = await forkserver.start(
            *(*words, "--config", str(config.path)),
            imported=["services.projector.service"],
            env={**os.environ, "POSTROAD_CRASHPOINT": point},
            stdout=log.fileno(),
            stderr=log.fileno(),
        )
    assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL


async def until(true: Callable[[], object]) -> None:
    """Wait until it is true."""
    async with asyncio.timeout(40):
        while not true():  # noqa: ASYNC110  nothing tells of what status will say
            await asyncio.sleep(0.02)
