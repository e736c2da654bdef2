"""`postroad up`: the broker and every service as child processes, started again when they die.

Mail is taken last and refused first: ingest starts when the road behind it is ready, and stops
before it. A service that dies is started again after 0.2 s, then after twice as long each time
up to 30 s; one minute of life makes it new. The embedded broker comes back on the same port, so
that services reconnect by themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

import structlog

from postroad.runtime import logs
from postroad.runtime.alarms.standin import stand_in
from postroad.runtime.attach import attach
from postroad.runtime.broker import Broker
from postroad.runtime.children import die_with_parent
from postroad.runtime.config import Config
from postroad.runtime.embedded import EmbeddedBroker
from postroad.runtime.errors import PostroadError, UsageError
from postroad.runtime.health import LEFT_OUT, Health
from postroad.runtime.provision import provision
from postroad.runtime.restarts import SETTLED_SECONDS, Restarts
from postroad.runtime.rollcall import rollcall
from postroad.runtime.service import BESIDE, ROAD, beside, running
from postroad.runtime.verdict import STOPPING

START_SECONDS = 10.0  # for the road to be ready before mail is taken all the same
DRAIN_SECONDS = 25.0  # a service lets its work finish for up to 20 s
POLL_SECONDS = 0.05
NAME = "supervisor"
LAST = "ingest"  # to start: mail is taken when the road behind is ready
END = (*BESIDE, "ingest", "router", "membership", "sender")  # the order in which services stop
ENTRY = "postroad.cli.serve"  # the module that runs one service; it imports little

log = structlog.get_logger()


class Child:
    """One service as a process of its own, kept running until `stop`."""

    def __init__(self, name: str, config: Path, health: Health) -> None:
        self.name = name
        self.config = config
        self.health = health
        self.restarts = Restarts()
        self.process: asyncio.subprocess.Process | None = None
        self.ready = asyncio.Event()
        self._stopping = asyncio.Event()
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

    @property
    def ails(self) -> bool:
        """Whether it dies again and again, and no mail waits for it."""
        return self.name not in ROAD and self.restarts.count > 0

    def start(self) -> None:
        """Start it, and keep it running from now on."""
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Let it finish its work and end; after DRAIN_SECONDS it is killed."""
        self._stopping.set()
        if self._task is None:
            return
        self._signal(signal.SIGTERM)
        _, busy = await asyncio.wait([self._task], timeout=DRAIN_SECONDS)
        if busy:
            log.warning("service.killed", name=self.name, pid=self.pid)
            self._signal(signal.SIGKILL)
        await self._task

    def kill(self) -> None:
        """End it at once."""
        self._stopping.set()
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.runs:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    def is_ready(self) -> None:
        """It has said so."""
        self.ready.set()
        self._report(ok=True, detail="ready")

    async def _keep(self) -> None:
        while not self._stopping.is_set():
            ended = await self._run()
            if self._stopping.is_set():
                return
            delay = self.restarts.died()
            self._report(ok=False, detail=f"{ended}; starts again in {delay:g} s", last_exit=ended)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stopping.wait()

    async def _run(self) -> str:
        """Run the process to its end; says how it ended."""
        self.ready.clear()
        try:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # a folder called `services` where we are started must not shadow ours
                "-m",
                ENTRY,
                self.name,
                "--config",
                str(self.config),
                stdin=asyncio.subprocess.DEVNULL,
                preexec_fn=die_with_parent,
                process_group=0,  # Ctrl-C reaches the supervisor alone, which then drains
            )
        except OSError as error:
            return f"could not be started ({error.strerror})"
        if self._stopping.is_set():
            self._signal(signal.SIGTERM)
        if self.restarts.count == 0:
            self._report(ok=True, detail="starting")
        try:
            async with asyncio.timeout(SETTLED_SECONDS):
                await self.process.wait()
        except TimeoutError:
            self.restarts.settled()
            if self.ready.is_set():
                self._report(ok=True, detail="ready")
        return how_it_ended(await self.process.wait())

    def _report(self, *, ok: bool, detail: str, **facts: Any) -> None:
        self.health.report(
            "service",
            self.name,
            ok=ok,
            detail=detail,
            pid=self.pid,
            restarts=self.restarts.count,
            crash_looping=self.restarts.crash_looping,
            **facts,
        )


class Supervisor:
    """The services of one installation. `ready` is set when all of them are ready."""

    def __init__(
        self, config: Config, broker: Broker, health: Health, only: Collection[str] = ()
    ) -> None:
        self.broker = broker
        self.health = health
        all_ = (*beside(config), *ROAD)
        wanted = [name for name in all_ if name in (only or all_)]
        self.children = [Child(name, config.path, health) for name in wanted]
        self.ready = asyncio.Event()
        for name in beside(config):
            if name not in wanted:
                health.report(LEFT_OUT, name, ok=True)

    async def start(self) -> None:
        """Start the services; the last, which takes mail, when the others are ready."""
        others = [child for child in self.children if child.name != LAST]
        for child in others:
            child.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                for child in others:
                    if child.name in ROAD:
                        await child.ready.wait()
        for child in self.children:
            if child.name == LAST:
                child.start()

    async def watch(self) -> None:
        """Notice who becomes ready, for ever."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            starting = [child for child in self.children if child.starting]
            if starting:
                with contextlib.suppress(Exception):  # the broker may be away
                    await self._ask(starting)
            if all(child.ready.is_set() or child.ails for child in self.children):
                self.ready.set()
            await asyncio.sleep(POLL_SECONDS if loop.time() - began < START_SECONDS else 0.5)

    async def stop(self) -> None:
        """Drain and end the services: first who takes mail, last who sends it."""
        self.health.report(NAME, STOPPING, ok=True)
        for child in sorted(self.children, key=lambda child: END.index(child.name)):
            await child.stop()

    def kill(self) -> None:
        """End the services at once. Nothing accepted is lost, but a copy may be sent twice."""
        for child in self.children:
            child.kill()

    async def _ask(self, starting: list[Child]) -> None:
        names = [child.name for child in starting]
        reports = await rollcall(self.broker, names, seconds=POLL_SECONDS)
        ready = {report.pid for report in reports if report.ready}
        for child in starting:
            if child.pid in ready:
                child.is_ready()


async def keep_broker(server: EmbeddedBroker, health: Health) -> None:
    """Start the embedded broker again whenever it dies, for ever."""
    restarts = Restarts()

    def report(*, ok: bool, detail: str) -> None:
        pid = server.process.pid if server.process is not None else 0
        health.report(
            "broker",
            "embedded",
            ok=ok,
            detail=detail,
            pid=pid,
            restarts=restarts.count,
            crash_looping=restarts.crash_looping,
        )

    report(ok=True, detail="ready")
    while True:
        assert server.process is not None
        try:
            async with asyncio.timeout(SETTLED_SECONDS):
                await server.process.wait()
        except TimeoutError:
            restarts.settled()
        ended = how_it_ended(await server.process.wait())
        while True:
            delay = restarts.died()
            report(ok=False, detail=f"{ended}; starts again in {delay:g} s")
            await asyncio.sleep(delay)
            try:
                await server.start()
            except (PostroadError, OSError) as error:
                ended = str(error)
            else:
                report(ok=True, detail="ready")
                break


@contextlib.asynccontextmanager
async def supervising(config: Config, only: Collection[str] = ()) -> AsyncIterator[Supervisor]:
    """Run the broker and all services, or `only` these, for the length of the block.

    The services are started, not yet ready, when the block begins. Raises PostroadError where
    Postroad runs in this state_dir already, or the broker will not start or is unsafe.
    """
    async with contextlib.AsyncExitStack() as stack:
        broker, server = await stack.enter_async_context(attach(config, NAME, NAME))
        if config.broker.embedded and server is None:
            raise PostroadError(
                f"Postroad already runs in {config.site.state_dir}; see `postroad status`, "
                "or use another site.state_dir"
            )
        await provision(
            broker, replicas=config.broker.replicas, ack_wait=config.broker.ack_wait_seconds
        )
        context = await stack.enter_async_context(running(NAME, config, broker))
        supervisor = Supervisor(config, broker, context.health, only)
        jobs = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [jobs.create_task(supervisor.start()), jobs.create_task(supervisor.watch())]
        if server is not None:
            tasks.append(jobs.create_task(keep_broker(server, context.health)))
        watched = any(child.name == "monitor" for child in supervisor.children)
        watch = jobs.create_task(stand_in(config, broker, expected=watched))
        context.health.ready = True
        try:
            yield supervisor
        finally:
            watch.cancel()  # what is away from now on is meant to be
            await supervisor.stop()
            for task in tasks:
                task.cancel()


async def supervise(config: Config, only: Collection[str] = ()) -> None:
    """Run everything until told to stop (SIGTERM, Ctrl-C, the terminal's end), then drain.

    With `only`, just these services and the broker. A second signal ends it at once. Raises
    UsageError for a service that there is not or that the settings do not ask for, SettingsError
    before anything is started, and PostroadError as `supervising` does.
    """
    for name in only:
        if name not in (*ROAD, *beside(config)):
            names = ", ".join((*ROAD, *beside(config)))
            raise UsageError(f"--only {name}: no service that would run; there are: {names}")
    warnings = (*config.warnings, *config.check_files())
    config.site_key()  # made here, once, before four services want it
    logs.configure(NAME)
    for warning in warnings:
        log.warning("settings.warning", text=warning)
    stopping = asyncio.Event()
    supervisor: Supervisor | None = None

    def asked_to_stop() -> None:
        if stopping.is_set() and supervisor is not None:
            supervisor.kill()
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
        loop.add_signal_handler(signal.SIGHUP, asked_to_stop)
    async with supervising(config, only) as started:
        supervisor = started
        welcome = asyncio.create_task(_welcome(supervisor))
        await stopping.wait()
        welcome.cancel()
        log.info("supervisor.draining")
    log.info("supervisor.stopped")


async def _welcome(supervisor: Supervisor) -> None:
    await supervisor.ready.wait()
    number = len(supervisor.children)
    sys.stdout.write(
        f"Postroad is running: {number} service{'s' * (number != 1)}; "
        "`postroad status` shows them; Ctrl-C stops\n"
    )
    sys.stdout.flush()


def how_it_ended(code: int) -> str:
    """An exit code of a child process in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
