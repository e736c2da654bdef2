"""The peer that makes a server seem far away."""

from __future__ import annotations

import asyncio
import time

from tests.peers.farside import far_side

LENGTH = 200_000


async def test_bytes_pass_late_and_whole() -> None:
    """What is sent comes through unchanged, no sooner than the round trip, and so does the end."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()

    async with (
        await asyncio.start_server(echo, "127.0.0.1", 0) as server,
        far_side(server.sockets[0].getsockname()[1], 20) as port,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = time.perf_counter()
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        assert time.perf_counter() - began >= 0.02
        sent = bytes(range(250)) * (LENGTH // 250)
        writer.write(sent)
        assert await reader.readexactly(LENGTH) == sent
        writer.close()
        assert await reader.read() == b""
