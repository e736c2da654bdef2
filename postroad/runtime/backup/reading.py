"""A part of a stream, off the wire: every message with its headers as they are stored."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec
from nats.errors import Error as NatsError

from postroad.runtime import wire
from postroad.runtime.apierror import ApiError
from postroad.runtime.backup.records import Record
from postroad.runtime.clock import new_id
from postroad.runtime.errors import BrokerUnavailable
from postroad.runtime.pull import ephemeral

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker

PAGE = 2000  # messages
PAGE_BYTES = 8 << 20
SILENCE = 10.0  # seconds without a word, after which it is asked anew
IDLE = 60.0  # seconds until the server forgets a reader
TRIES = 5


async def read(
    broker: Broker, stream: str, first: int, last: int, *, heads: bool = False
) -> AsyncIterator[list[Record]]:
    """Every message there is from `first` to `last`, in order, each once, in pages; of each only
    the headers, and one more with its size, with `heads`. Raises BrokerUnavailable, ApiError."""
    tries = 0
    while first <= last:
        try:
            async for page in _pages(broker, stream, first, heads=heads):
                tries = 0
                inside = [record for record in page if record.seq <= last]
                if inside:
                    yield inside
                first = page[-1].seq + 1
                if first > last:
                    return
        except (NatsError, OSError, TimeoutError) as error:
            tries += 1
            if tries == TRIES:
                raise BrokerUnavailable(f"stream {stream} could not be read") from error
            await asyncio.sleep(0.5)
        else:
            return


async def _pages(
    broker: Broker, stream: str, first: int, *, heads: bool
) -> AsyncIterator[list[Record]]:
    name = f"backup-{new_id()}"
    start = {"deliver_policy": "by_start_sequence", "opt_start_seq": first, "headers_only": heads}
    await ephemeral(broker, stream, name, ">", IDLE, start)
    nc = broker.nc
    page: list[Record] = []
    said: list[str] = []
    wake = asyncio.Event()

    def take(subject: bytes, reply: bytes, head: bytes, data: bytes) -> None:
        # $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<ns>.<pending>
        parts = reply.rsplit(b".", 5)
        if len(parts) == 6:
            page.append(Record(subject, int(parts[2]), int(parts[4]), head, data))
        else:
            said.append(wire.fields(head).get("Status", ""))
        wake.set()

    inbox = nc.new_inbox()
    subscription = await nc.subscribe(inbox, cb=wire.nothing)
    untap = wire.tap(nc, subscription, take)
    ask = msgspec.json.encode({"batch": PAGE, "max_bytes": PAGE_BYTES, "no_wait": True})
    try:
        while True:
            page, before = [], len(said)
            await nc.publish(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}", ask, reply=inbox)
            while len(page) < PAGE and len(said) == before:
                wake.clear()
                async with asyncio.timeout(SILENCE):
                    await wake.wait()
            status = said[-1] if len(said) > before else ""
            if page:
                yield page
            if status in ("404", "408"):  # there are no more
                return
            if status not in ("", "409") or not page:
                raise NatsError(f"the reader ended: {status}")
    finally:
        untap()
        with contextlib.suppress(Exception):
            await subscription.unsubscribe()
        with contextlib.suppress(ApiError, BrokerUnavailable):
            await broker.api(f"CONSUMER.DELETE.{stream}.{name}")
