"""The road as a command meets it: the Postroad that runs, or as much of it as the command needs.

Where nothing runs and the broker is embedded, the command starts the broker, and membership in
its own process, for as long as it takes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from postroad.runtime import logs, sitekey, streamends
from postroad.runtime.attach import COMMAND, attach
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.errors import PostroadError, UsageError
from postroad.runtime.health import Health
from postroad.runtime.provision import provision
from postroad.runtime.rollcall import rollcall
from postroad.runtime.service import Context, find, running

if TYPE_CHECKING:
    from services.membership.feed import Feed

MEMBERSHIP = "membership"
WAIT_SECONDS = 3.0  # for membership to answer on a broker that others run
READY_SECONDS = 30.0  # for membership here to have read its streams
POLL_SECONDS = 0.02


@contextlib.asynccontextmanager
async def streams(config: Config) -> AsyncIterator[Broker]:
    """A broker to read from, every stream in place. Raises PostroadError, also where nothing was
    ever stored: who merely looks makes nothing."""
    quiet()
    state_dir = config.site.state_dir
    if config.broker.embedded and not (state_dir / "broker" / "jetstream").exists():
        raise UsageError(f"there is nothing in {state_dir} yet; `postroad up` or a restore begins")
    async with attach(config, COMMAND) as (broker, ours):
        if ours is not None:
            await _provision(config, broker)
        yield broker


@contextlib.asynccontextmanager
async def road(config: Config) -> AsyncIterator[Broker]:
    """A broker on which membership answers commands. Raises PostroadError where none can."""
    quiet()
    async with attach(config, COMMAND, MEMBERSHIP) as (broker, ours):
        if ours is not None:
            await _provision(config, broker, going_on=True)
            async with _membership(config, broker):
                yield broker
            return
        await _answering(broker)
        yield broker


@contextlib.asynccontextmanager
async def roster(config: Config) -> AsyncIterator[tuple[Broker, Feed | None]]:
    """A broker on which membership answers. Where nothing runs, its roster instead, folded here:
    membership itself would go on with whatever waits. Raises PostroadError."""
    from services.membership.feed import Feed, open_store

    quiet()
    async with attach(config, COMMAND, MEMBERSHIP) as (broker, ours):
        if ours is None:
            await _answering(broker)
            yield broker, None
            return
        await _provision(config, broker, going_on=True)
        store = await open_store(broker, config.site.state_dir)
        feed = Feed(broker, store, Health(COMMAND))
        folding = asyncio.create_task(feed.run())
        try:
            await feed.catch_up()
            yield broker, feed
        finally:
            folding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await folding
            await store.close()


async def _provision(config: Config, broker: Broker, *, going_on: bool = False) -> None:
    if going_on:
        await streamends.refuse(broker, config.site.state_dir)
    await provision(
        broker, replicas=config.broker.replicas, ack_wait=config.broker.ack_wait_seconds
    )
    if going_on:
        await sitekey.settle(broker, config, mark=True)


async def _answering(broker: Broker) -> None:
    """Wait until membership answers: it may just be starting."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WAIT_SECONDS
    while loop.time() < deadline:
        reports = await rollcall(broker, [MEMBERSHIP], seconds=0.5)
        if any(report.service == MEMBERSHIP and report.ready for report in reports):
            return
        await asyncio.sleep(POLL_SECONDS)
    raise PostroadError("membership does not answer; start Postroad with `postroad up`")


@contextlib.asynccontextmanager
async def _membership(config: Config, broker: Broker) -> AsyncIterator[None]:
    """Membership in this process, ready, for the length of the block."""
    async with running(COMMAND, config, broker) as context:
        service = asyncio.ensure_future(find(MEMBERSHIP).run(context))
        try:
            await _ready(context, service)
            yield
        finally:
            context.stopping.set()
            await service


async def _ready(context: Context, service: asyncio.Future[None]) -> None:
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    while not context.health.ready:
        if service.done():
            await service  # raises what ended it
            raise PostroadError("membership ended before it was ready; try again")
        if asyncio.get_running_loop().time() > deadline:
            raise PostroadError("membership is not ready in time; try again")
        await asyncio.sleep(POLL_SECONDS)


def quiet() -> None:
    """A command speaks for itself: only what goes wrong is logged, unless asked for."""
    logs.configure(COMMAND, "error")
