"""One service as a child process: kept running, listened to, and told to stop.

What it writes comes to us by a pipe and goes on line by line, so that lines of several do not mix,
a display is not torn, and its last words are known when it dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Callable

import structlog

from postroad.runtime.health import Health
from postroad.runtime.nursery import Nursery, Process
from postroad.runtime.restarts import SETTLED_SECONDS
from postroad.runtime.upkeep import Upkeep

DRAIN_SECONDS = 25.0  # a service lets its work finish for up to 20 s
LINE_BYTES = 64 << 10  # what is longer goes on in pieces
READY = b"service.ready"  # the event, in whatever form
SAID = 300  # characters kept of last words
_OF_FILES = (
    *("OSError", "PermissionError", "FileNotFoundError", "FileExistsError", "IsADirectoryError"),
    *("NotADirectoryError", "duckdb.IOException", "duckdb.duckdb.IOException"),
    "_duckdb.IOException",
)
_BUG = re.compile(r"([\w.]+(?:Error|Exception|Exit|Interrupt))(?::|$)")

log = structlog.get_logger()
Lines = Callable[[bytes], None]  # takes whole lines


class Child:
    """One process of a service, called `name`, kept running until `stop`; `news` is set when it
    starts, and when it logs that it is ready: worth asking it then."""

    def __init__(
        self,
        service: str,
        name: str,
        nursery: Nursery,
        health: Health,
        *,
        lines: Lines,
        news: asyncio.Event,
    ) -> None:
        self.service = service
        self.name = name
        self.nursery = nursery
        self.lines = lines
        self.news = news
        self.upkeep = Upkeep(health, "service", name, service=service)
        self.process: Process | None = None
        self.ready = asyncio.Event()
        self.stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs, or ran last; 0 where none ever did."""
        return self.process.pid if self.process is not None else 0

    @property
    def runs(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.returncode is None

    @property
    def starting(self) -> bool:
        """Whether it runs and has not said yet that it is ready."""
        return self.runs and not self.ready.is_set()

    def start(self) -> None:
        """Start it, and keep it running from now on; where it is, nothing happens."""
        if self._task is not None and not self._task.done():
            return
        self.stopping.clear()
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Let it finish its work and end; after DRAIN_SECONDS it is killed."""
        self.stopping.set()
        if self._task is None:
            return
        self.signal(signal.SIGTERM)
        _, busy = await asyncio.wait([self._task], timeout=DRAIN_SECONDS)
        if busy:
            log.warning("service.killed", name=self.name, pid=self.pid)
            self.signal(signal.SIGKILL)
        await self._task

    def kill(self) -> None:
        """End it at once, and for good."""
        self.stopping.set()
        self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, where there is a process."""
        if self.process is not None and self.runs:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    def is_ready(self) -> None:
        """It has said so."""
        self.ready.set()
        self.upkeep.ready()

    async def _keep(self) -> None:
        while not self.stopping.is_set():
            ended, said = await self._run()
            if self.stopping.is_set():
                return
            delay = self.upkeep.died(ended, said)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self.stopping.wait()

    async def _run(self) -> tuple[str, str]:
        """Run the process to its end; says how it ended, and its last words."""
        self.ready.clear()
        outlet, inlet = os.pipe()
        mouth = _Mouth(self.service, outlet, self.lines, self.news)
        try:
            self.process = await self.nursery.start(self.service, inlet)
        except OSError as error:
            mouth.close()
            return f"could not be started ({error.strerror})", ""
        finally:
            os.close(inlet)
        try:
            if self.stopping.is_set():
                self.signal(signal.SIGTERM)
            self.upkeep.started(self.pid)
            self.news.set()
            try:
                async with asyncio.timeout(SETTLED_SECONDS):
                    await self.process.wait()
            except TimeoutError:
                self.upkeep.settled()
            return how_it_ended(await self.process.wait()), mouth.said()
        finally:
            mouth.close()


class _Mouth:
    """What a process says, from the reading end of a pipe to `lines`."""

    def __init__(self, service: str, outlet: int, lines: Lines, news: asyncio.Event) -> None:
        self._prefix = f"postroad {service}: "
        self._outlet = outlet
        self._lines = lines
        self._news = news
        self._rest = b""
        self._said = ""
        os.set_blocking(outlet, False)
        asyncio.get_running_loop().add_reader(outlet, self._read)

    def said(self) -> str:
        """Its own last words, where it gave a reason, or a file that cannot be used; of other
        bugs just the name, for their text may hold an address."""
        self._read()
        return self._said

    def close(self) -> None:
        """Listen no more."""
        asyncio.get_running_loop().remove_reader(self._outlet)
        if self._rest:
            self._lines(self._rest + b"\n")
            self._rest = b""
        os.close(self._outlet)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._outlet, LINE_BYTES)
            except BlockingIOError:
                return
            if not data:
                asyncio.get_running_loop().remove_reader(self._outlet)
                return
            whole, end, self._rest = (self._rest + data).rpartition(b"\n")
            if len(self._rest) > LINE_BYTES:
                whole, end, self._rest = whole + end + self._rest, b"\n", b""
            if end:
                if READY in whole:
                    self._news.set()
                self._hear(whole)
                self._lines(whole + end)

    def _hear(self, lines: bytes) -> None:
        for line in lines.decode(errors="replace").splitlines():
            if line.startswith(self._prefix):
                self._said = line.removeprefix(self._prefix)[:SAID]
            elif bug := _BUG.match(line):
                self._said = line[:SAID] if bug[1] in _OF_FILES else bug[1]


def how_it_ended(code: int) -> str:
    """An exit code of a child process in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
