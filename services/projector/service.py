"""Projector's I/O: the file is fed, questions are answered."""

from __future__ import annotations

import asyncio
import os

import structlog

from postroad.runtime.clock import now
from postroad.runtime.errors import PostroadError
from postroad.runtime.service import Context, Service
from projections import layout
from projections.catalog import projections
from projections.duckfile import StoreBusy
from projections.snapshot import FOLDER
from projections.warehouse import NAME, Warehouse
from services.projector.endpoints import serving
from services.projector.feed import Feed, origins
from services.projector.snapshot import Snapshots

NICE = 10  # mail goes first
REFRESH_SECONDS = 300.0

log = structlog.get_logger()


async def run(context: Context) -> None:
    """Fold and answer until told to stop."""
    os.nice(NICE)
    warehouse = await _open(context)
    feed = Feed(context.broker, warehouse, context.health)
    snapshots = Snapshots(warehouse, context.config.site.state_dir / FOLDER, context.health)
    try:
        async with asyncio.TaskGroup() as tasks:
            feeding = tasks.create_task(feed.run())
            copying = tasks.create_task(_copy(feed, snapshots))
            async with serving(context, feed, snapshots):
                context.ready()
                await context.stopping.wait()
            feeding.cancel()
            copying.cancel()
    finally:
        await warehouse.close()


async def _copy(feed: Feed, snapshots: Snapshots) -> None:
    """Keep copies for analysts, from when everything that lay there is folded."""
    await feed.catch_up()
    await snapshots.keep(REFRESH_SECONDS)


async def _open(context: Context) -> Warehouse:
    """The file, fit for today's streams. Raises PostroadError where another process has it."""
    path = context.config.site.state_dir / NAME
    streams = await origins(context.broker, sorted(layout.streams(projections())))
    stamp = now().strftime("%Y%m%dT%H%M%SZ")
    try:
        warehouse = await Warehouse.open(path, projections(), streams, stamp=stamp)
    except StoreBusy as busy:
        who = f"process {busy.pid}" if busy.pid else "another process"
        raise PostroadError(
            f"{who} has {path} open, and one projector alone may fold into it; stop that one, or "
            "leave this one out"
        ) from busy
    if warehouse.aside is not None:
        aside, reason = warehouse.aside
        log.error("projector.moved_aside", file=aside.name, reason=reason)
        context.health.count("moved_aside")
    return warehouse


SERVICE = Service(
    name="projector",
    about="folds every stream into tables, and answers questions about them",
    run=run,
)
