"""Whether the streams are whole, looked at for ever beside the services: where one has gone back
they stand still until a person has decided, and go on by themselves then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import structlog

from postroad.runtime import streamends
from postroad.runtime.broker import Broker
from postroad.runtime.errors import PostroadError, Retry
from postroad.runtime.health import Health
from postroad.runtime.verdict import GONE_BACK

LOOK_SECONDS = 15.0
SOON_SECONDS = 2.0  # while somebody decides
AGAIN_SECONDS = 0.5  # before what was seen once is believed

log = structlog.get_logger()


class Wholeness:
    """What is wrong with the streams of one installation: `lost`, by name."""

    def __init__(self, broker: Broker, state_dir: Path, health: Health) -> None:
        self.broker = broker
        self.state_dir = state_dir
        self.health = health
        self.lost: Mapping[str, str] = {}

    async def look(self) -> None:
        """Look, and tell. Raises BrokerUnavailable."""
        lost = await streamends.looked(self.broker, self.state_dir)
        if lost.keys() - self.lost.keys():
            await asyncio.sleep(AGAIN_SECONDS)
            lost = await streamends.looked(self.broker, self.state_dir)
        for name in self.lost.keys() - lost.keys():
            self.health.report(GONE_BACK, name, ok=True)
        for name, how in lost.items():
            if self.lost.get(name) != how:
                detail = streamends.sentence({name: how}).removeprefix(f"stream {name} ")
                self.health.report(GONE_BACK, name, ok=False, detail=detail, alarm=True)
        self.lost = lost

    async def keep(
        self, start: Callable[[], Awaitable[None]], hold: Callable[[], Awaitable[None]]
    ) -> None:
        """Look for ever: `hold` the services while anything is lost, and `start` them else. Both
        are asked once for each change."""
        held: bool | None = None
        starting: asyncio.Future[None] | None = None
        try:
            while True:
                if bool(self.lost) != held:
                    if starting is not None:
                        starting.cancel()
                        await asyncio.wait([starting])
                    held = bool(self.lost)
                    if held:
                        log.error("streams.held", streams=sorted(self.lost))
                        starting = None
                        await hold()
                    else:
                        starting = asyncio.ensure_future(start())
                await asyncio.sleep(SOON_SECONDS if held else LOOK_SECONDS)
                try:
                    await self.look()
                except (PostroadError, Retry):
                    continue  # the broker is away, which others tell
        finally:
            if starting is not None:
                starting.cancel()
