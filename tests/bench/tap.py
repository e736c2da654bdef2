"""A tap on the line between ingest and Dovecot: it notes when Dovecot announces new mail.

Dovecot gathers changes for half a second before it tells an idling client (NOTIFY_DELAY_MSECS in
its mailbox-watch.c), which no client can help; the clock of "push" scenarios starts here.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tests.peers.process import free_port

EXISTS = re.compile(rb"^\* \d+ EXISTS\r$", re.MULTILINE)


@dataclass
class Tap:
    """Forwards 127.0.0.1:`port`. `pushes` are the Unix times of "* n EXISTS" since `clear()`."""

    port: int
    pushes: list[float] = field(default_factory=list)

    @classmethod
    @contextlib.asynccontextmanager
    async def on(cls, target: int) -> AsyncIterator[Tap]:
        """Tap the line to 127.0.0.1:`target` for the length of the block."""
        tap = cls(free_port())
        lines: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            lines.add(task)
            with contextlib.suppress(OSError):
                there = await asyncio.open_connection("127.0.0.1", target)
                await asyncio.gather(
                    tap.forward(there[0], writer, listen=True), tap.forward(reader, there[1])
                )
            lines.discard(task)

        async with await asyncio.start_server(connected, "127.0.0.1", tap.port):
            try:
                yield tap
            finally:
                for line in lines:
                    line.cancel()

    async def forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, listen: bool = False
    ) -> None:
        """Pass on what comes until it ends."""
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                # an announcement comes alone; mail in large pieces
                if listen and len(data) < 200 and EXISTS.search(data):
                    self.pushes.append(time.time())
                await writer.drain()
        finally:
            writer.close()

    def clear(self) -> None:
        """Forget what was announced."""
        self.pushes.clear()
