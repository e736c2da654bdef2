"""[alarm]: what a person must mend is told once, by command and webhook, beside the mail."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from postroad.runtime import alarm
from postroad.runtime.alarm import Alarms, Notice
from postroad.runtime.health import Health
from postroad.runtime.settings import Alarm


def writes_to(file: Path, *, code: int = 0) -> str:
    """A command that adds its standard input to a file."""
    script = f"import sys; open({str(file)!r}, 'a').write(sys.stdin.read()); sys.exit({code})"
    return shlex.join([sys.executable, "-c", script])


@asynccontextmanager
async def webhook(*answers: int) -> AsyncIterator[tuple[str, list[Notice]]]:
    """A URL that answers with these codes in turn, then 204, and what it was posted."""
    posted: list[Notice] = []
    codes = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        posted.append(msgspec.json.decode(await reader.readexactly(length), type=Notice))
        code = codes.pop(0) if codes else 204
        writer.write(
            f"HTTP/1.1 {code} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/alarm", posted


async def test_a_thing_is_told_of_once_and_once_more_when_it_works(tmp_path: Path) -> None:
    """Repeating a report tells nobody again; a new reason does, and so does the all-clear."""
    told = tmp_path / "told"
    alarms = Alarms(Alarm(command=writes_to(told)), "ingest")
    reports = [("it expired", False), ("it expired", False), ("it was revoked", False), ("", True)]
    for detail, ok in (*reports, ("", True)):
        alarms.tell("source", "gmail", detail, ok=ok)
        await alarms.close()
    assert told.read_text().splitlines() == [
        "source gmail: it expired",
        "source gmail: it was revoked",
        "source gmail works again",
    ]


async def test_a_webhook_is_posted_what_happened() -> None:
    """A webhook gets the state, the thing and the reason as JSON."""
    async with webhook() as (url, posted):
        alarms = Alarms(Alarm(webhook=url), "sender")
        alarms.tell("relay", "out", "over its quota", ok=False)
        await alarms.close()
    (notice,) = posted
    assert (notice.state, notice.service, notice.kind, notice.name) == (
        "raised",
        "sender",
        "relay",
        "out",
    )
    assert notice.text == "relay out: over its quota"


async def test_a_webhook_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook that answers 500 is posted to again, up to three times."""
    monkeypatch.setattr(alarm, "PAUSE", 0.01)
    async with webhook(500, 503) as (url, posted):
        alarms = Alarms(Alarm(webhook=url), "sender")
        alarms.tell("relay", "out", "over its quota", ok=False)
        await alarms.close()
    assert len(posted) == 3


async def test_a_command_that_cannot_run_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that does not exist costs a log line and nothing else; the webhook is told."""
    monkeypatch.setattr(alarm, "PAUSE", 0.01)
    async with webhook() as (url, posted):
        alarms = Alarms(Alarm(command="/no/such/program", webhook=url), "ingest")
        alarms.tell("source", "box", "the server refused the login", ok=False)
        await alarms.close()
    assert len(posted) == 1


async def test_a_report_raises_the_alarm_only_where_a_person_must_act(tmp_path: Path) -> None:
    """A relay that is away for a moment raises no alarm; a login that is refused does."""
    told = tmp_path / "told"
    health = Health("sender")
    health.alarms = Alarms(Alarm(command=writes_to(told)), "sender")
    health.report("relay", "out", ok=False, detail="cannot be reached")
    await health.alarms.close()
    assert not told.exists()
    health.report("relay", "out", ok=False, detail="refused the login", alarm=True)
    await health.alarms.close()
    assert told.read_text() == "relay out: refused the login\n"
