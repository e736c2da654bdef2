"""The clock of the machine is set while the janitor runs: nothing goes early."""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial
from pathlib import Path

import msgspec
import pytest
from nats.aio.msg import Msg

from postroad.runtime.broker import Broker
from schemas import subjects
from schemas.marks import Diary
from schemas.questions import Piece, Question
from tests.broker.finishedmail import Finished
from tests.e2e.system import until
from tests.peers import faketime

pytestmark = pytest.mark.broker
AGE = 3.0
LEAPS = 2 * 2 * 0.2  # two steps, each believed for two ticks at most


async def answer(road: Finished, message: Msg) -> None:
    """What the projector would say."""
    asked = msgspec.json.decode(message.data, type=Question)
    rows = await road.ask(asked.name, **asked.parameters)
    columns = dict.fromkeys(rows[0], "varchar") if rows else {}
    piece = Piece(columns=columns, rows=[list(row.values()) for row in rows], last=True)
    await message.respond(msgspec.json.encode(piece))


async def lived(broker: Broker) -> float:
    """The seconds that the janitor has written down."""
    stored = await broker.last("KV_CHECKPOINTS", subjects.janitor_marks())
    return msgspec.json.decode(stored.data, type=Diary).lived if stored else -1.0


@faketime.needed
async def test_a_clock_that_is_set_deletes_nothing_early(broker: Broker, tmp_path: Path) -> None:
    """It leaps 30 days forward, then back and an hour more: a mail that is finished goes when the
    janitor has lived through its age, and no sooner."""
    road = Finished(broker)
    await road.post(1)
    await road.acknowledge()
    await broker.nc.subscribe(subjects.projector("query"), cb=partial(answer, road))
    config, clock = tmp_path / "postroad.toml", tmp_path / "clock"
    ages = "".join(f'{name} = "{AGE:g}s"\n' for name in ("mail", "send", "deadletter"))
    site = f'[site]\ndomain = "example.org"\nstate_dir = "{tmp_path}"\n'
    config.write_text(f"{site}[retention]\n{ages}")
    clock.write_text("+0")
    env = {**os.environ, **faketime.followed(clock)}
    command = (sys.executable, "-m", "postroad.cli.serve", "janitor", "--config", str(config))
    janitor = await asyncio.create_subprocess_exec(*command, env=env)
    try:
        loop = asyncio.get_running_loop()

        async def lives(seconds: float) -> None:
            async def does() -> bool:
                assert janitor.returncode is None
                return await lived(broker) >= seconds

            await until(does, f"the janitor lives for {seconds:g} s")

        await lives(0.0)
        began = loop.time()
        clock.write_text("+30d")
        await lives(1.0)
        assert len(await road.left("RAW")) == 1
        clock.write_text("-1h")

        async def gone() -> bool:
            return not (await road.left("RAW") or await road.left("SEND"))

        await until(gone, "the mail goes at its age")
        assert loop.time() - began >= AGE - LEAPS
    finally:
        janitor.terminate()
        assert await janitor.wait() == 0
