"""The service: one task a source, of whatever kind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from postroad.runtime.errors import PostroadError
from postroad.runtime.oauth import Tokens
from postroad.runtime.service import Context, Service
from services.ingest.kinds import KINDS, Feed


async def run(context: Context) -> None:
    """Read every source until told to stop; with `once`, until each is drained."""
    tokens = Tokens(context.config)
    feeds = [KINDS[source.kind](context, source, tokens) for source in context.config.source]
    if context.once:
        failed = [line for line in await asyncio.gather(*(f.drain_once() for f in feeds)) if line]
        if failed:
            raise PostroadError("\n".join(failed))
        return
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(feed.keep()) for feed in feeds]
        ready = group.create_task(_announce(context, feeds))
        await context.stopping.wait()
        ready.cancel()
        for feed, task in zip(feeds, tasks, strict=True):
            if not feed.reading:  # a server, or a provider of tokens, may keep it waiting
                task.cancel()


async def _announce(context: Context, feeds: Sequence[Feed]) -> None:
    # a mail sent after `ready` must be new to every source with start = "now"
    await asyncio.gather(*(feed.tried.wait() for feed in feeds))
    context.ready()


SERVICE = Service(name="ingest", about="takes mail from its sources onto the road", run=run)
