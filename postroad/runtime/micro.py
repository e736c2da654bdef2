"""NATS micro endpoints of a service: many requests at once, and what was begun is finished."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial

import nats.micro
from nats.micro.request import Request

from postroad.runtime.broker import Broker

AT_ONCE = 64  # requests; more wait their turn
FINISH_SECONDS = 10.0

Answering = Callable[[Request], Awaitable[None]]


@contextlib.asynccontextmanager
async def answering(
    broker: Broker, service: str, about: str, endpoints: Mapping[str, Answering]
) -> AsyncIterator[None]:
    """Answer at `postroad.<service>.<endpoint>` for the length of the block, then finish what was
    begun. Several instances share the questions."""
    begun: set[asyncio.Task[None]] = set()
    room = asyncio.Semaphore(AT_ONCE)

    async def begin(answer: Answering, request: Request) -> None:
        # nats-py runs an endpoint's handler one request at a time; a task each does not wait
        await room.acquire()
        task = asyncio.ensure_future(answer(request))
        begun.add(task)
        task.add_done_callback(begun.discard)
        task.add_done_callback(lambda _: room.release())

    micro = await nats.micro.add_service(
        broker.nc,
        name=f"postroad-{service}",
        version="1.0.0",
        description=about,
        queue_group=service,
    )
    try:
        for name, answer in endpoints.items():
            await micro.add_endpoint(
                name=name, subject=f"postroad.{service}.{name}", handler=partial(begin, answer)
            )
        await broker.nc.flush()  # whoever asks from now on is heard
        yield
    finally:
        with contextlib.suppress(Exception):
            await micro.stop()
        if begun:
            await asyncio.wait(begun, timeout=FINISH_SECONDS)
