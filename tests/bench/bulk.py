"""Millions of messages into streams, as fast as the broker syncs them.

The product's publisher spends 50 us a message on answers and retries. Here batches of 1,000 are
written to the socket as they are, the first of a subject on condition that it has none, as the
product's have it, and the broker's answer to each batch is all that is waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from itertools import islice
from typing import NamedTuple

import msgspec

from postroad.runtime.broker import BATCH_LIMIT
from postroad.runtime.clock import new_id
from postroad.runtime.embedded import Access


class Row(NamedTuple):
    """One message, and whether it is the first of its subject."""

    subject: str
    data: bytes
    first: bool = True


class Bulk:
    """One connection to a broker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._inbox = f"_INBOX.{new_id()}".encode()

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, reach: Access) -> AsyncIterator[Bulk]:
        """Connected for the length of the block."""
        reader, writer = await asyncio.open_connection("127.0.0.1", reach.port)
        await reader.readline()
        login = {"verbose": False, "headers": True, "user": reach.user, "pass": reach.password}
        bulk = cls(reader, writer)
        writer.write(b"CONNECT %s\r\nSUB %s 1\r\n" % (msgspec.json.encode(login), bulk._inbox))
        try:
            yield bulk
        finally:
            writer.close()

    async def store(self, rows: Iterable[Row]) -> int:
        """Store new messages of one stream; how many."""
        rest, count = iter(rows), 0
        while some := list(islice(rest, BATCH_LIMIT)):
            self._writer.writelines(_batch(some, self._inbox))
            await self._writer.drain()
            answer = await self._answer()
            assert b'"error"' not in answer, answer
            count += len(some)
        return count

    async def _answer(self) -> bytes:
        while True:
            line = await self._reader.readline()
            if line.startswith(b"PING"):
                self._writer.write(b"PONG\r\n")
            elif line.startswith((b"MSG", b"HMSG")):
                return await self._reader.readexactly(int(line.split()[-1]) + 2)
            else:
                assert line, "the broker hung up"


def _batch(rows: list[Row], inbox: bytes) -> Iterable[bytes]:
    batch = new_id()
    for number, (subject, data, first) in enumerate(rows, 1):
        head = f"NATS/1.0\r\nNats-Batch-Id: {batch}\r\nNats-Batch-Sequence: {number}\r\n".encode()
        if first:
            head += b"Nats-Expected-Last-Subject-Sequence: 0\r\n"
        reply = b""
        if number == len(rows):
            head += b"Nats-Batch-Commit: 1\r\n"
            reply = inbox + b" "
        sizes = (len(head) + 2, len(head) + 2 + len(data))
        yield b"HPUB %s %s%d %d\r\n" % (subject.encode(), reply, *sizes)
        yield head + b"\r\n" + data + b"\r\n"
