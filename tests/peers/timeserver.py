"""A time server on loopback (NTP, RFC 5905), as wrong as a test wants it; in the test's own loop.

async with TimeServer.start(ahead=3600) as times:
    monkeypatch.setenv("POSTROAD_NTP", times.address)
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self, cast

ERA = 2_208_988_800  # seconds from 1900 to 1970


class TimeServer(asyncio.DatagramProtocol):
    """A running server; `ahead` is by how many seconds its clock is fast."""

    def __init__(self, ahead: float) -> None:
        self.ahead = ahead
        self.address = ""

    @classmethod
    @asynccontextmanager
    async def start(cls, ahead: float = 0.0) -> AsyncIterator[Self]:
        """Answer until the context ends."""
        loop = asyncio.get_running_loop()
        local = ("127.0.0.1", 0)
        made = await loop.create_datagram_endpoint(lambda: cls(ahead), local_addr=local)
        transport, server = made
        server.address = f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
        try:
            yield server
        finally:
            transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It listens."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Tell the time: stratum 1, received and sent at once."""
        now = time.time() + self.ahead + ERA
        stamp = struct.pack("!II", int(now), int(now % 1 * 2**32))
        self._transport.sendto(b"\x24\x01" + bytes(22) + data[40:48] + stamp + stamp, addr)
