"""[alarm]: people are told by a command, a webhook, and functions of other packages."""

from __future__ import annotations

import asyncio
import importlib
import shlex
import sys
import syslog
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from postroad.alarms import Notice
from postroad.runtime.alarms import telling
from postroad.runtime.alarms.telling import Telling
from postroad.runtime.errors import SettingsError
from postroad.runtime.health import Health
from postroad.runtime.settings import Alarm

RAISED = Notice(
    state="raised",
    alarm="relay",
    service="sender",
    kind="relay",
    name="out",
    text="relay out: over its quota",
    time="2026-11-22T10:00:00+00:00",
    page="docs/operators/relay-failing.md",
)


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


async def test_a_command_gets_the_text(tmp_path: Path) -> None:
    """A command is given the line of text on its standard input."""
    told = tmp_path / "told"
    people = Telling(Alarm(command=writes_to(told)))
    people.tell(RAISED)
    await people.close()
    assert told.read_text() == "relay out: over its quota\n"


async def test_a_webhook_is_posted_what_happened() -> None:
    """A webhook gets all of the notice as JSON."""
    async with webhook() as (url, posted):
        people = Telling(Alarm(webhook=url))
        people.tell(RAISED)
        await people.close()
    assert posted == [RAISED]


async def test_a_webhook_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook that answers 500 is posted to again, up to three times."""
    monkeypatch.setattr(telling, "PAUSE", 0.01)
    async with webhook(500, 503) as (url, posted):
        people = Telling(Alarm(webhook=url))
        people.tell(RAISED)
        await people.close()
    assert len(posted) == 3


async def test_a_command_that_cannot_run_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that does not exist costs a log line and a warning; the webhook is told."""
    monkeypatch.setattr(telling, "PAUSE", 0.01)
    async with webhook() as (url, posted):
        health = Health("monitor")
        people = Telling(Alarm(command="/no/such/program", webhook=url), health)
        people.tell(RAISED)
        await people.close()
    assert len(posted) == 1
    told = {fact.name: fact.ok for fact in health.answer().facts}
    assert told == {"command": False, "webhook": True}, "status says who was not told"


EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "postroad-example-alarm"
FALLS = """
failed = []

def falls(notice):
    failed.append(notice)
    raise RuntimeError("ann@example.org")
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package in docs/examples, and one whose handler fails, where pip would put them."""
    groups = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"]
    points = {**groups["postroad.alarms"], "falls": "falls_down:falls"}
    lines = [f"{name} = {place}" for name, place in points.items()]
    info = tmp_path / "example-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: example\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(["[postroad.alarms]", *lines, ""]))
    (tmp_path / "falls_down.py").write_text(FALLS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(EXAMPLE))
    monkeypatch.setattr(telling, "PAUSE", 0.01)


@pytest.mark.usefixtures("installed")
async def test_a_handler_of_ones_own_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function of another package is called with the notice; one that fails is called three
    times, and keeps nobody else from hearing of it."""
    lines: list[str] = []
    monkeypatch.setattr(syslog, "syslog", lambda _, line: lines.append(line))
    people = Telling(Alarm(handlers=("falls", "syslog")))
    people.tell(RAISED)
    await people.close()
    assert lines == [
        "postroad relay RAISED relay out: over its quota (see docs/operators/relay-failing.md)"
    ]
    assert len(importlib.import_module("falls_down").failed) == 3


@pytest.mark.usefixtures("installed")
async def test_a_handler_that_is_not_installed_is_refused() -> None:
    """Settings that name a handler nobody has are wrong, and the line names the nearest."""
    with pytest.raises(SettingsError, match="handler 'sislog'; did you mean 'syslog'"):
        Telling(Alarm(handlers=("sislog",)))
