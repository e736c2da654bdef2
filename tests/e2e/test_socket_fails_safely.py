"""Whatever dies, a mail that was answered with yes is there, and one that was not is sent again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.e2e.sockets import Socket, listening
from tests.e2e.system import mail, until

TEXT = mail(1)


async def _reply(socket: Socket) -> str:
    """The answer to the mail from a client of its own; "" where the connection ends before."""
    try:
        async with socket.client() as client:
            return await client.send(TEXT)
    except (ConnectionError, AssertionError):
        return ""


@pytest.mark.parametrize(
    "crashpoint", ["ingest.after_raw:1", "ingest.after_received:1", "ingest.before_250:1"]
)
async def test_ingest_is_killed_before_it_answers(tmp_path: Path, crashpoint: str) -> None:
    """The client heard nothing and sends the mail again: it is taken once."""
    async with listening(tmp_path) as socket:
        await socket.road.stop("ingest")
        await socket.road.run("ingest", crashpoint=crashpoint)
        await socket.road.ready(("ingest",))
        assert await _reply(socket) == ""
        await socket.road.died("ingest")
        await socket.road.run("ingest")
        await socket.road.ready(("ingest",))
        assert await _reply(socket) == "250 2.0.0 taken"
        assert await socket.texts() == [TEXT]


async def test_the_broker_is_away(tmp_path: Path) -> None:
    """451 while it is away, and soon; the mail is taken when it is back, in the same session."""
    async with listening(tmp_path) as socket, socket.client() as client:
        process = socket.road.server.process
        assert process is not None
        process.kill()
        await process.wait()
        assert (await client.send(TEXT)).startswith("451 4.3.0 ")
        await client.ask("MAIL FROM:<>")
        assert (await client.ask("RCPT TO:<new@example.org>")).startswith("451 4.3.0 ")
        await client.ask("RSET")
        await socket.road.server.start()

        async def taken() -> bool:
            return (await client.send(TEXT)).startswith("250 ")

        await until(taken, "the mail is taken")
        assert await socket.texts() == [TEXT]


async def test_ingest_is_told_to_stop(tmp_path: Path) -> None:
    """Who waits to say something is told to come later; and the end is quick."""
    async with listening(tmp_path) as socket, socket.client() as client:
        await client.ask("MAIL FROM:<ada@a.example>")
        await socket.road.stop("ingest")
        assert (await client.reply()).startswith("421 4.3.2 ")
        assert await client.ended()


async def test_the_port_is_taken(tmp_path: Path) -> None:
    """Status names the port and the remedy, other sources go on, and the source comes back."""
    async with listening(tmp_path) as socket:
        await socket.road.stop("ingest")
        blocker = await asyncio.start_server(lambda *_: None, "127.0.0.1", socket.port)
        try:
            await socket.road.run("ingest")
            await socket.road.ready(("ingest",))
            status = await socket.road.cli("status", "--json")
            (told,) = status.json["sources"]
            assert f"cannot listen at 127.0.0.1:{socket.port}" in told["detail"]
        finally:
            blocker.close()
            await blocker.wait_closed()

        async def there() -> bool:
            return (await _reply(socket)).startswith("250")

        await until(there, "it listens")


async def test_once_is_not_for_a_socket(tmp_path: Path) -> None:
    """A socket has nothing to drain: cron is told so, with exit code 1."""
    async with listening(tmp_path) as socket:
        told = await socket.road.cli("run", "ingest", "--once")
        assert told.code == 1
        assert "nothing to drain; run it without --once" in told.err
