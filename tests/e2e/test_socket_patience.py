"""How long a socket waits for whom."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.runtime.config import Config
from postroad.runtime.service import running
from services.ingest.service import SERVICE
from services.ingest.smtpd import channel, listener
from tests.e2e.sockets import Socket, listening
from tests.e2e.system import mail, until


@contextlib.asynccontextmanager
async def here(home: Path, **settings: str) -> AsyncIterator[Socket]:
    """A socket of an ingest in this process, whose patience a test can change."""
    async with listening(home, services=("membership",), **settings) as socket:
        config = Config.load(socket.road.config, {})
        async with running("ingest", config, socket.road.broker) as context:
            task = asyncio.ensure_future(SERVICE.run(context))

            async def ready() -> bool:
                return context.health.ready

            try:
                await until(ready, "ingest is ready")
                yield socket
            finally:
                context.stopping.set()
                await asyncio.wait_for(task, 30)


async def test_a_mail_must_come_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends a mail drop by drop is not waited for without end."""
    monkeypatch.setattr(channel, "MAIL_SECONDS", 0.5)
    async with here(tmp_path) as socket, socket.client() as client:
        await client.ask("MAIL FROM:<>")
        await client.ask("RCPT TO:<team@example.org>")
        await client.ask("DATA")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                client.say(b"x")
                await asyncio.sleep(0.05)
                if client.reader._buffer:  # type: ignore[attr-defined]
                    break
        assert (await client.reply()).startswith("421 4.4.2 ")
        assert await client.ended()


async def test_a_silent_client_is_shown_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever says nothing, or never ends a line, has a time."""
    monkeypatch.setattr(channel, "LINE_SECONDS", 0.3)
    async with here(tmp_path) as socket, socket.client() as client:
        client.say("MAIL FR")
        assert (await client.reply()).startswith("421 4.4.2 ")


async def test_where_there_is_a_crowd_nobody_sits_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients that hold connections and say nothing make room for those who bring mail."""
    monkeypatch.setattr(listener, "IDLE_SECONDS", -1.0)
    async with here(tmp_path, connections="8") as socket, contextlib.AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(socket.client()) for _ in range(6)]
        async with socket.client() as client:  # the seventh of eight
            assert (await client.send(mail(1))).startswith("250 ")
        for each in idle:
            assert (await each.reply()).startswith("421 4.4.2 ")
