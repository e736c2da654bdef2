"""[alarm]: people are told by a command, a webhook, and functions of other packages."""

from __future__ import annotations

import asyncio
import importlib
import os
import shlex
import sys
import syslog
import threading
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from postroad.alarms import Notice
from postroad.runtime.alarms import telling
from postroad.runtime.alarms.telling import Errand, Telling
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


async def tells(people: Telling, taken: Callable[[str], None] = lambda _: None) -> None:
    """Everybody is asked once to tell RAISED; `taken` is called with each way that did."""
    people.tell(Errand("relay out", way, RAISED, partial(taken, way)) for way in people.ways)
    await people.close()


async def test_a_command_gets_the_text(tmp_path: Path) -> None:
    """A command is given the line of text on its standard input."""
    told = tmp_path / "told"
    people = Telling(Alarm(command=writes_to(told)))
    await tells(people)
    assert told.read_text() == "relay out: over its quota\n"


async def test_a_webhook_is_posted_what_happened() -> None:
    """A webhook gets all of the notice as JSON."""
    async with webhook() as (url, posted):
        people = Telling(Alarm(webhook=url))
        await tells(people)
    assert posted == [RAISED]


async def test_who_cannot_be_told_is_tried_again_and_later_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A webhook that fails is left alone for 5 seconds, then for twice as long each time, up to 10
    minutes, however often we are asked to tell; it is told once, when it works. From the third
    failure on status says that somebody could not be told."""
    loop = asyncio.get_running_loop()
    clock = 0.0
    monkeypatch.setattr(loop, "time", lambda real=loop.time: clock + real())
    health = Health("monitor")
    tries: list[float] = []
    failing: list[float] = []
    took: list[str] = []
    async with webhook(*[500] * 10) as (url, posted):
        people = Telling(Alarm(webhook=url), health)
        while not took:
            await tells(people, took.append)
            if len(posted) > len(tries):
                tries.append(clock)
            if any(not fact.ok for fact in health.answer().facts):
                failing.append(clock)
            clock += 5
    pauses = [round(after - before) for before, after in pairwise(tries)]
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 600, 600, 600]
    assert (failing[0], failing[-1]) == (tries[2], tries[-1] - 5)
    assert all(fact.ok for fact in health.answer().facts)


async def test_a_command_that_cannot_run_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that does not exist costs a log line and a warning; the webhook is told."""
    monkeypatch.setattr(telling, "TRIES", 1)
    took: list[str] = []
    async with webhook() as (url, posted):
        health = Health("monitor")
        await tells(Telling(Alarm(command="/no/such/program", webhook=url), health), took.append)
    assert (len(posted), took) == (1, ["webhook"])
    told = {fact.name: fact.ok for fact in health.answer().facts}
    assert told == {"command": False, "webhook": True}, "status says who was not told"


async def test_a_command_that_hangs_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a command that takes too long has started does not stay behind, try after try."""
    monkeypatch.setattr(telling, "SECONDS", 0.3)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    await tells(Telling(Alarm(command=f"sh -c 'sleep 600 > {fifo}; true'")))
    os.set_blocking(reader, True)
    assert await asyncio.to_thread(os.read, reader, 1) == b"", "nobody holds it open"
    os.close(reader)


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


@pytest.mark.usefixtures("installed")
async def test_a_handler_of_ones_own_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function of another package is called with the notice; one that fails keeps nobody else
    from hearing of it."""
    lines: list[str] = []
    monkeypatch.setattr(syslog, "syslog", lambda _, line: lines.append(line))
    people = Telling(Alarm(handlers=("falls", "syslog")))
    await tells(people)
    assert lines == [
        "postroad relay RAISED relay out: over its quota (see docs/operators/relay-failing.md)"
    ]
    assert len(importlib.import_module("falls_down").failed) == 1


async def test_a_handler_that_never_comes_back_is_not_called_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each call that hangs is a thread, so with some of them there are no more."""
    monkeypatch.setattr(telling, "SECONDS", 0.01)
    monkeypatch.setattr(telling, "HANGING", 2)
    monkeypatch.setattr(telling, "PAUSE", 0.0)
    calls: list[Notice] = []
    let_go = threading.Event()

    def hangs(notice: Notice) -> None:
        calls.append(notice)
        let_go.wait()

    monkeypatch.setattr(telling, "load", lambda _: [hangs])
    people = Telling(Alarm(handlers=("hangs",)))
    for _ in range(4):
        await tells(people)
    assert len(calls) == 2
    let_go.set()


@pytest.mark.usefixtures("installed")
async def test_a_handler_that_is_not_installed_is_refused() -> None:
    """Settings that name a handler nobody has are wrong, and the line names the nearest."""
    with pytest.raises(SettingsError, match="handler 'sislog'; did you mean 'syslog'"):
        Telling(Alarm(handlers=("sislog",)))
