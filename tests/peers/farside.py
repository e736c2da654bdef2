"""A server made to lie some milliseconds away: what passes through is held back, both ways.

    python -m tests.peers.farside PORT TARGET MILLISECONDS

Forwards 127.0.0.1:PORT to 127.0.0.1:TARGET; half of the milliseconds go to each direction, so that
they are the round trip. Bandwidth is not limited.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import uvloop

from tests.peers.process import Daemon, directory, free_port

ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def far_side(target: int, ms: float) -> AsyncIterator[int]:
    """The port of 127.0.0.1 at which the server at `target` seems to be `ms` away."""
    port = free_port()
    argv = (sys.executable, "-m", "tests.peers.farside", str(port), str(target), str(ms))
    with directory("farside") as place:
        async with Daemon(argv, [port], place / "log", cwd=ROOT):
            yield port


class _End(asyncio.Protocol):
    """One end of a connection; what comes in leaves by the `other`, later."""

    transport: asyncio.Transport

    def __init__(self, delay: float, other: _End | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.delay = delay
        self.other = other

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        self.loop.call_later(self.delay, self._pass, data)

    def _pass(self, data: bytes) -> None:
        if self.other is not None and not self.other.transport.is_closing():
            self.other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.loop.call_later(self.delay, self._hang_up)

    def _hang_up(self) -> None:
        if self.other is not None:
            self.other.transport.close()


class _Near(_End):
    """The client's end, which brings up the server's."""

    def __init__(self, delay: float, target: int) -> None:
        super().__init__(delay)
        self.target = target
        self.connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.pause_reading()
        self.connecting = asyncio.create_task(self._connect())

    async def _connect(self) -> None:
        end = self.other = _End(self.delay, self)
        try:
            await self.loop.create_connection(lambda: end, "127.0.0.1", self.target)
        except OSError:
            self.transport.close()
        else:
            self.transport.resume_reading()


async def _serve(port: int, target: int, ms: float) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: _Near(ms / 2000, target), "127.0.0.1", port
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
