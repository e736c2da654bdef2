"""The sender alone: chunks put on the stream by the test, the sink at the other end."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from postroad.runtime import blobs
from postroad.runtime.clock import envelope
from schemas import codec, subjects
from schemas.mail import RawRef
from schemas.road import ChunkQueued, Copy, WindowRecorded
from tests.e2e.system import System, mail, smtp_relay, until
from tests.peers.sink import Script, Sink

LIST = "team-example-org"


@dataclass
class Sending:
    """A running sender and its sink."""

    road: System
    sink: Sink

    async def post(self, number: int) -> RawRef:
        """Store a mail with the Message-ID <number@posts>."""
        data = mail(number)
        head = data.index(b"\r\n\r\n") + 4
        return await blobs.put_raw(self.road.broker, f"{number:032x}", 0, data, head)

    async def queue(
        self, ref: RawRef, chunk: int, size: int, *, personal: bool = True, lane: str = "bulk"
    ) -> list[str]:
        """Queue a chunk of `size` people; returns their addresses."""
        people = [f"{chunk:012x}{n:012x}" for n in range(size)]
        addresses = [f"p{chunk}-{n}@example.net" for n in range(size)]
        event = ChunkQueued(
            mail_id=ref.mail_id,
            list=LIST,
            chunk=str(chunk),
            first=chunk * size,
            people=tuple(people),
            addresses=tuple(addresses),
            copy=Copy(
                raw=ref,
                personal=personal,
                list=LIST,
                list_address="team@example.org",
                bounces=("team-bounces+", "@example.org"),
                leave=("team-leave+", "@example.org"),
                post=7,
            ),
        )
        subject = subjects.send("now" if lane == "now" else "bulk", LIST, ref.mail_id, str(chunk))
        message = envelope([event], correlation=ref.mail_id, actor="test")
        await self.road.broker.publish(subject, codec.encode(message), expect=0)
        return addresses

    async def ledger(self) -> list[WindowRecorded]:
        """Every entry of every ledger, in order."""
        return [
            event
            async for stored in self.road.broker.scan("DELIVERY", "delivery.>")
            for event in stored.envelope().events
            if isinstance(event, WindowRecorded)
        ]

    async def finished(self, chunks: int) -> None:
        """Wait until so many chunks (retries count) are finished and acknowledged."""

        async def all_done() -> bool:
            done = {entry.chunk for entry in await self.ledger() if entry.finished}
            return len(done) >= chunks and await self.road.idle()

        await until(all_done, f"{chunks} chunks are finished")


@contextlib.asynccontextmanager
async def sending(
    home: Path, script: Script | None = None, relay: Mapping[str, str] = {}
) -> AsyncIterator[Sending]:
    """A sender with the default of 4 lanes and windows of 16, and the sink it sends to."""
    async with Sink.start(script) as sink:
        settings = smtp_relay(sink.port, **relay)
        async with System.start(home, settings, services=("sender",)) as road:
            yield Sending(road, sink)
