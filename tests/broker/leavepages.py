"""The web service as its tests see it: the real one, beside a real membership."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from postroad.mail.leavelink import before_token
from postroad.mail.tokens import TokenMaker
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config, Web
from postroad.runtime.service import Context, running
from services.web.service import SERVICE
from tests.broker.membership import SLUG, settings
from tests.peers.process import free_port

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def web_settings(state_dir: Path) -> Config:
    """Settings with a web service on a port of its own."""
    return settings(state_dir, web=Web(port=free_port()))


@dataclass
class Pages:
    """A running web service. `client` is a browser that has never been anywhere."""

    context: Context
    port: int
    client: httpx.AsyncClient

    def link(self, person: str, slug: str = SLUG) -> str:
        """The path of somebody's link, as it stands in their copies."""
        config = self.context.config
        token = TokenMaker(config.site_key()).leave_token(slug, person)
        return before_token(config.site.base_url, slug).removeprefix(config.site.base_url) + token

    async def raw(self, data: bytes, *, end: bool = False) -> bytes:
        """All that is answered to these octets."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            if end:
                writer.write_eof()
            return await asyncio.wait_for(reader.read(), 30)
        except ConnectionError:
            return b""
        finally:
            writer.transport.abort()


@asynccontextmanager
async def pages(broker: Broker, config: Config) -> AsyncIterator[Pages]:
    """Run the service for the length of the block."""
    assert config.web is not None
    port = config.web.port
    async with running("web", config, broker) as context:
        service = asyncio.ensure_future(SERVICE.run(context))
        try:
            while not context.health.ready:
                await asyncio.wait({service}, timeout=0.01)
                if service.done():
                    service.result()
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                yield Pages(context, port, client)
        finally:
            context.stopping.set()
            await service
