"""The skeleton of every service: connect, check, run, drain, stop.

A service is one `SERVICE = Service(...)` in `services/<name>/service.py`; `serve` finds it by
folder name and does everything that is the same for all.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import importlib.util
import os
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import structlog
import uvloop
from nats.aio.msg import Msg

from postroad.runtime import logs, paused, sitekey, streamends
from postroad.runtime.again import Again
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.consume import Consumer, Handler
from postroad.runtime.embedded import access, is_running
from postroad.runtime.errors import PostroadError, UsageError
from postroad.runtime.health import ALARM_SUBJECT, STATUS_SUBJECT, Fact, Health, Told
from postroad.runtime.plainly import plainly
from postroad.runtime.provision import check_safety, provision
from postroad.runtime.telemetry import Telemetry
from schemas.subjects import Durable, again

log = structlog.get_logger()
END_SECONDS = 30.0  # that ending may take; a supervisor that lives kills sooner
YOUNG = 20_000  # new objects between two collections of garbage; most go without one
ROAD = ("membership", "router", "sender", "ingest")  # in the order they start
BESIDE = ("projector", "janitor", "monitor", "web")  # what no mail waits for
WATCHMAN = "monitor"
ASKED_FOR = ("web",)  # those of them that run only where a section has their name


@dataclass(frozen=True)
class Service:
    """What a service is: its name, one line about it, and what it does until told to stop."""

    name: str
    about: str
    run: Callable[[Context], Awaitable[None]]


@dataclass
class Context:
    """What a running service has to work with."""

    config: Config
    broker: Broker
    telemetry: Telemetry
    health: Health
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    once: bool = False
    _again: dict[str, Again] = field(default_factory=dict)

    @property
    def ack_wait(self) -> float:
        """Seconds after which the broker gives an unanswered message to somebody else."""
        return self.config.broker.ack_wait_seconds

    async def consume(
        self, durable: Durable, handler: Handler, *, concurrency: int = 32, span: str = ""
    ) -> None:
        """Run `handler` over a durable consumer, and over what it parked and somebody requeued;
        returns when stopping and drained."""
        consumer = Consumer(
            self.broker,
            self.telemetry,
            self.health,
            durable,
            handler,
            concurrency=concurrency,
            ack_wait=self.ack_wait,
            span=span,
        )
        name = again(durable.name).name
        if name in self._again:
            self._again[name].add(consumer)
            await consumer.run(self.stopping)
            return
        self._again[name] = requeued = Again(consumer)
        await asyncio.gather(consumer.run(self.stopping), requeued.run(self.stopping))

    def ready(self) -> None:
        """The service is at work: tell the supervisor and whoever asks, the first time."""
        if self.health.ready:
            return
        gc.freeze()  # what is loaded by now stays, and need not be looked at again and again
        gc.set_threshold(YOUNG)
        self.health.ready = True
        log.info("service.ready")


async def connect(config: Config, name: str, *, wait: float = 10.0) -> Broker:
    """Connect to the configured broker. An external one is checked: see `check_safety`."""
    if not config.broker.embedded:
        creds = str(config.broker.creds_file or "")
        broker = await Broker.connect(config.broker.url, name=name, creds_file=creds, wait=wait)
        try:
            await check_safety(broker, config.broker.url, config.broker.monitor_url)
        except PostroadError:
            await broker.close()
            raise
        return broker
    reach = access(config.site.state_dir)
    if reach is None or not is_running(config.site.state_dir):
        raise PostroadError(
            f"Postroad is not running in {config.site.state_dir}; start it with `postroad up`"
        )
    return await Broker.connect(reach.url, name=name, wait=wait)


def beside(config: Config) -> tuple[str, ...]:
    """The services beside the road that these settings ask for."""
    return tuple(
        name for name in BESIDE if name not in ASKED_FOR or getattr(config, name) is not None
    )


def find(name: str) -> Service:
    """The service in `services/<name>`. Raises UsageError naming those there are."""
    if not name.isidentifier() or importlib.util.find_spec(f"services.{name}") is None:
        names = ", ".join(sorted((*ROAD, *BESIDE)))
        raise UsageError(f"there is no service {name!r}; there are: {names}")
    service = importlib.import_module(f"services.{name}.service").SERVICE
    assert isinstance(service, Service)
    return service


async def serve(name: str, config: Config, *, once: bool = False) -> None:
    """Run one service until SIGTERM or SIGINT, or until it is drained with `once`."""
    logs.configure(name)
    service = find(name)
    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(await connect(config, name))
        if name != WATCHMAN:  # who tells of it
            await streamends.refuse(broker, config.site.state_dir)
        await provision(
            broker, replicas=config.broker.replicas, ack_wait=config.broker.ack_wait_seconds
        )
        if name in sitekey.KEYED:
            await sitekey.settle(broker, config, mark=name == sitekey.MARKS)
        context = await stack.enter_async_context(running(name, config, broker))
        context.once = once
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _end, context.stopping)
        await paused.wait(context)
        if not context.stopping.is_set():
            await service.run(context)
        log.info("service.stopped")


def _end(stopping: asyncio.Event) -> None:
    """Let work finish. Who does not come to its end is ended by Linux: a supervisor would see to
    that, but may be dead."""
    stopping.set()
    signal.setitimer(signal.ITIMER_REAL, END_SECONDS)


@contextlib.asynccontextmanager
async def running(name: str, config: Config, broker: Broker) -> AsyncIterator[Context]:
    """A context for a service in this process: its telemetry, its health, its answers."""
    telemetry = Telemetry(name, config.telemetry)
    telemetry.begin()
    health = Health(name)
    context = Context(config=config, broker=broker, telemetry=telemetry, health=health)

    async def answer(message: Msg) -> None:
        await message.respond(msgspec.json.encode(health.answer()))

    telling: set[asyncio.Task[None]] = set()

    def tell(fact: Fact) -> None:
        told = msgspec.json.encode(Told(service=name, fact=fact))
        task = asyncio.create_task(broker.tell(ALARM_SUBJECT, told))
        telling.add(task)
        task.add_done_callback(telling.discard)

    def room(there: bool) -> None:  # noqa: FBT001
        refuses = "it refuses to store, for it has no more room"
        health.report("storage", "broker", ok=there, detail=refuses * (not there), alarm=not there)

    broker.room = room
    health.tell = tell
    subscription = await broker.nc.subscribe(STATUS_SUBJECT, cb=answer)
    flusher = asyncio.create_task(telemetry.keep_flushing(broker.tell))
    try:
        yield context
    finally:
        context.stopping.set()
        flusher.cancel()
        with contextlib.suppress(Exception):
            await telemetry.flush(broker.tell)
            await subscription.unsubscribe()
        telemetry.close()


def main(name: str, config_path: str | None = None, *, once: bool = False) -> int:
    """Entry of a service process. Returns its exit code; one line to stderr on failure, a
    traceback for a bug alone."""
    os.umask(0o077)  # what we write may hold addresses
    try:
        config = Config.load(Path(config_path) if config_path else None, os.environ)
        uvloop.run(serve(name, config, once=once))
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - the last resort
        if (told := plainly(error)) is None:
            traceback.print_exception(error)
            return 1
        sys.stderr.write(f"postroad {name}: {told}\n")
        return told.exit_code
    return 0
