"""`postroad up`: the broker and every service as child processes, started again when they die.

Mail is taken last and refused first: ingest starts when the road behind it is ready, and stops
before it. A service that dies is started again after 0.2 s, then after twice as long each time
up to 30 s; one minute of life makes it new. One that is alive and answers nothing for a minute is
ended, and started again: the ledger keeps what a sender did, and nobody who is dead can thaw. The
embedded broker comes back on the same port, so that services reconnect by themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

import structlog

from postroad.runtime import scaling, sitekey
from postroad.runtime.alarms.standin import stand_in
from postroad.runtime.attach import attach
from postroad.runtime.broker import Broker
from postroad.runtime.brokerkeeper import end, keep_broker
from postroad.runtime.child import Child, Lines
from postroad.runtime.config import Config
from postroad.runtime.embedded import EmbeddedBroker
from postroad.runtime.errors import PostroadError, Retry
from postroad.runtime.health import LEFT_OUT, Health, Report
from postroad.runtime.hearing import BROKER_ENDED, ENDED, LOOK_SECONDS, TOLD, Hearing
from postroad.runtime.notify import Systemd
from postroad.runtime.nursery import Nursery
from postroad.runtime.provision import provision
from postroad.runtime.service import BESIDE, ROAD, beside, running
from postroad.runtime.storing import keep_storing
from postroad.runtime.verdict import STOPPING, SUPERVISOR
from postroad.runtime.wholeness import Wholeness

START_SECONDS = 10.0  # for the road to be ready before mail is taken all the same
POLL_SECONDS = 0.1  # each question costs every process an answer
LATER_SECONDS = 0.5  # where something has been starting for longer than START_SECONDS
MORE_SECONDS = 60.0  # that systemd is asked for, again and again, while we start or stop
MONITOR = "monitor"
LAST = "ingest"  # to start: mail is taken when the road behind is ready
END = (BESIDE, ("ingest",), ("router",), ("membership",), ("sender",))  # who stops, in this order

log = structlog.get_logger()


def to_stderr(lines: bytes) -> None:
    """Where the lines of services go if nobody draws a display."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.buffer.write(lines)
        sys.stderr.buffer.flush()


class Supervisor:
    """The services of one installation, as many of each as `counts` says. `ready` is set when all
    of them are ready, or known to keep dying."""

    def __init__(
        self,
        config: Config,
        broker: Broker,
        health: Health,
        nursery: Nursery,
        counts: dict[str, int],
        *,
        server: EmbeddedBroker | None = None,
        systemd: Systemd = Systemd(),  # noqa: B008  it cannot change
        lines: Lines = to_stderr,
    ) -> None:
        self.config = config
        self.broker = broker
        self.health = health
        self.server = server
        self.systemd = systemd
        self.news = asyncio.Event()
        self.children = [
            Child(service, name, nursery, health, lines=lines, news=self.news)
            for service, count in counts.items()
            for name in scaling.labels(service, count)
        ]
        self.ready = asyncio.Event()
        self.stopping = False
        self.hearing = Hearing(broker, SUPERVISOR, self._heard)
        self._own = False  # whether we ourselves were heard since systemd was told that we live
        self._pinged = 0.0  # loop time of that
        self._told = ""  # to systemd, of how we are
        self.whole = Wholeness(broker, config.site.state_dir, health)
        for child in self.children:
            child.upkeep.waits()
        for name, count in counts.items():
            if not count and name in BESIDE:
                health.report(LEFT_OUT, name, ok=True)

    async def start(self) -> None:
        """Start the services; the last, which takes mail, when the others are ready."""
        others = [child for child in self.children if child.service != LAST]
        for child in others:
            child.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                for child in others:
                    if child.service in ROAD:
                        await child.ready.wait()
        for child in self.children:
            if child.service == LAST:
                child.start()

    async def provide(self) -> None:
        """Have every stream and consumer there. Raises PostroadError, BrokerUnavailable."""
        broker = self.config.broker
        await provision(self.broker, replicas=broker.replicas, ack_wait=broker.ack_wait_seconds)

    async def hold(self) -> None:
        """Let all services end but the monitor, which tells why."""
        await self._end(but=MONITOR)
        for child in self.children:
            if child.service == MONITOR:
                child.start()
        self.news.set()

    async def watch(self) -> None:
        """Notice who becomes ready, and who answers no more, for ever."""
        await self.hearing.open()
        loop = asyncio.get_running_loop()
        counted = began = loop.time()
        rest = min(LOOK_SECONDS, self.systemd.watchdog / 3 or LOOK_SECONDS)
        while True:
            if loop.time() - counted >= LOOK_SECONDS:
                counted = loop.time()
                self._judge()
            await self.hearing.ask()
            pause = rest
            if any(child.starting for child in self.children):
                young = loop.time() - began < START_SECONDS
                pause = POLL_SECONDS if young else LATER_SECONDS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.news.wait(), pause)
                self.news.clear()
                began = loop.time()
            self._tell()
            self._ping(loop.time(), rest)

    async def stop(self) -> None:
        """Drain and end the services: first who takes mail, last who sends it."""
        self.stopping = True
        self.health.report(SUPERVISOR, STOPPING, ok=True)
        self.systemd.tell("STOPPING=1")
        await self._end()
        with contextlib.suppress(PostroadError, Retry):
            await self.whole.look()  # what they did last is known

    async def _end(self, but: str = "") -> None:
        for names in END:
            left = [each for each in self.children if each.service in names and each.service != but]
            if left:
                told = ", ".join(child.name for child in left)
                self.systemd.tell(f"STATUS=stopping: {told} may finish")
                self.systemd.more_time(MORE_SECONDS)
                await asyncio.gather(*(child.stop() for child in left))

    def kill(self) -> None:
        """End the services at once. Nothing accepted is lost, but a copy may be sent twice."""
        for child in self.children:
            child.kill()

    def looping(self) -> list[str]:
        """The names of those that keep dying."""
        return [child.name for child in self.children if child.upkeep.crash_looping]

    def held(self) -> str:
        """Why the services stand still; nothing where they do not."""
        lost = sorted(self.whole.lost)
        return f"all stands still: {', '.join(lost)} has gone back" if lost else ""

    # --- who answers ------------------------------------------------------------------------------

    def _heard(self, report: Report) -> None:
        if (report.service, report.pid) == self.hearing.silence.own:
            self._own = True
            return
        for child in self.children:
            if (child.service, child.pid) != (report.service, report.pid) or not child.runs:
                continue
            if report.ready and not child.ready.is_set():
                child.is_ready()
            elif child.upkeep.is_silent:
                child.upkeep.heard()

    def _judge(self) -> None:
        """Before the next question is put: deal with who was silent to those before it."""
        if self.stopping or not self.ready.is_set():
            self.systemd.more_time(MORE_SECONDS)
        alive = {(child.service, child.pid): child for child in self.children if child.runs}
        missed = self.hearing.silence.counted(alive)
        if self.hearing.silence.broker >= BROKER_ENDED and self.server is not None:
            log.warning("service.silent", name="broker", ended=True)
            self.hearing.silence.broker = 0
            end(self.server)
        for who, count in missed.items():
            child = alive[who]
            if self.stopping or count < TOLD:
                continue
            if count >= ENDED:
                log.warning("service.silent", name=child.name, ended=True)
                child.signal(signal.SIGKILL)
            elif count == TOLD:
                log.warning("service.silent", name=child.name, ended=False)
                child.upkeep.silent(
                    f"no answer for {TOLD * LOOK_SECONDS:g} s; ended and started again after "
                    f"{ENDED * LOOK_SECONDS:g} s"
                )

    def _tell(self) -> None:
        """Tell whoever waits for all to be ready, and systemd how we are."""
        if self.stopping:
            return
        looping = self.looping()
        held = self.held()
        pending = [child for child in self.children if not (child.ready.is_set() or _ails(child))]
        ready = self.ready.is_set() or not pending or bool(held)
        told = "all services run"
        if held:
            told = held
        elif looping:
            told = f"{', '.join(looping)} keeps dying"
        elif pending:
            told = f"starting: {', '.join(child.name for child in pending)}"
        if (ready, told) != (self.ready.is_set(), self._told):
            self.systemd.tell(f"STATUS={told}", *(("READY=1",) if ready else ()))
        self._told = told
        if ready:
            self.ready.set()

    def _ping(self, now: float, every: float) -> None:
        """Tell systemd that we live: that this loop turns, and that a broker of ours answers. One
        of yours that is away is no fault of ours, and no reason to start us again."""
        if now - self._pinged >= every * 0.9 and (self._own or self.server is None):
            self.systemd.tell("WATCHDOG=1")
            self._pinged, self._own = now, False


def _ails(child: Child) -> bool:
    """Whether nobody should wait for it to be ready: it keeps dying, or died and no mail waits for
    it."""
    return child.upkeep.crash_looping or (
        child.service in BESIDE and child.upkeep.restarts.count > 0
    )


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What of an installation is to run, as `--only` and `--scale` say, and who else is told:
    systemd, and whatever takes the lines of services."""

    only: Collection[str] = ()
    scale: Sequence[str] = ()
    systemd: Systemd = Systemd()  # noqa: RUF009  it cannot change
    lines: Lines = to_stderr

    def counts(self, config: Config) -> dict[str, int]:
        """How many processes of each service, in the order they start. Raises UsageError."""
        there = (*ROAD, *beside(config))
        return scaling.chosen(there, self.only, self.scale, config.relay)


@contextlib.asynccontextmanager
async def supervising(config: Config, wanted: Wanted) -> AsyncIterator[Supervisor]:
    """Run the broker and the services for the length of the block.

    The services are started, not yet ready, when the block begins. Raises PostroadError where
    Postroad runs in this state_dir already, or the broker will not start or is unsafe.
    """
    async with contextlib.AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(Nursery.open(config.path))
        broker, server = await stack.enter_async_context(attach(config, SUPERVISOR, SUPERVISOR))
        if config.broker.embedded and server is None:
            raise PostroadError(
                f"Postroad already runs in {config.site.state_dir}; see `postroad status`, "
                "or use another site.state_dir"
            )
        counts = wanted.counts(config)
        if any(counts.get(name) for name in sitekey.KEYED):
            await sitekey.settle(broker, config)  # before services want it
        context = await stack.enter_async_context(running(SUPERVISOR, config, broker))
        supervisor = Supervisor(
            config,
            broker,
            context.health,
            nursery,
            counts,
            server=server,
            systemd=wanted.systemd,
            lines=wanted.lines,
        )
        await supervisor.whole.look()
        if not supervisor.whole.lost:
            await supervisor.provide()
        jobs = await stack.enter_async_context(asyncio.TaskGroup())
        keeping = jobs.create_task(supervisor.whole.keep(supervisor.start, supervisor.hold))
        tasks = [keeping, jobs.create_task(supervisor.watch())]
        if server is not None:
            tasks.append(jobs.create_task(keep_broker(server, context.health)))
            tasks.append(jobs.create_task(keep_storing(server, context.health)))
        watched = any(child.service == MONITOR for child in supervisor.children)
        watch = jobs.create_task(stand_in(config, broker, context.health, expected=watched))
        context.health.ready = True
        try:
            yield supervisor
        finally:
            watch.cancel()  # what is away from now on is meant to be
            keeping.cancel()  # who is stopped is not to be started
            await supervisor.stop()
            for task in tasks:
                task.cancel()


Beside = Callable[[Supervisor], Awaitable[None]]


async def supervise(config: Config, wanted: Wanted, watch: Beside | None = None) -> None:
    """Run everything until told to stop (SIGTERM, Ctrl-C, the terminal's end), then drain.

    A second signal ends it at once. `watch` runs beside it, until all has ended; else a line says
    when all is ready. Raises UsageError for services that there are not, or may not be so many,
    SettingsError before anything is started, and PostroadError as `supervising` does.
    """
    wanted.counts(config)
    warnings = (*config.warnings, *config.check_files())
    wanted.systemd.tell("STATUS=starting the broker")
    wanted.systemd.more_time(MORE_SECONDS)
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
    async with supervising(config, wanted) as started:
        supervisor = started
        watching = asyncio.ensure_future((watch or _welcome)(supervisor))
        await stopping.wait()
        supervisor.stopping = True
        log.info("supervisor.draining")
    watching.cancel()
    await asyncio.wait([watching])
    log.info("supervisor.stopped")


async def _welcome(supervisor: Supervisor) -> None:
    await supervisor.ready.wait()
    if held := supervisor.held():
        sys.stdout.write(f"Postroad does not go on; {held}; `postroad status` says what helps\n")
        sys.stdout.flush()
        return
    number = len(supervisor.children)
    but = f", but {', '.join(looping)} keeps dying" if (looping := supervisor.looping()) else ""
    sys.stdout.write(
        f"Postroad is running: {number} service{'s' * (number != 1)}{but}; "
        "`postroad status` shows them; Ctrl-C stops\n"
    )
    sys.stdout.flush()
