"""The consume loop: every message is handled, given back, ended with a reason, or parked.

A handler returns (acknowledged), raises Retry (given back with a delay), raises Reject (ended,
a copy in DEADLETTER), or fails in any other way: a bug, tried three times and then parked in
DEADLETTER with its bytes, so that a poison message never holds up the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal

import msgspec
import structlog
from nats.aio.msg import Msg

from postroad.runtime import instruments
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from postroad.runtime.errors import (
    BrokerUnavailable,
    Busy,
    Paused,
    PostroadError,
    Reject,
    Retry,
    Superseded,
)
from postroad.runtime.logs import trace_in
from postroad.runtime.parked import PARK_KEEPS, Dropped, park
from postroad.runtime.provision import missing
from postroad.runtime.pull import Deliveries
from postroad.runtime.stored import Stored
from postroad.runtime.telemetry import Telemetry, about
from schemas import codec, subjects
from schemas.codec import UnknownEvent
from schemas.envelope import Envelope
from schemas.road import Parked
from schemas.spans import Attribute

if TYPE_CHECKING:
    from postroad.runtime.health import Health

BUG_TRIES = 3
NANO = 1_000_000_000

OUTCOMES = {b"+ACK": "handled", b"-NAK": "retried", b"+TER": "parked", b"": "superseded"}

log = structlog.get_logger()
Handler = Callable[["Delivery"], Awaitable[None]]


class Delivery:
    """One message handed to a handler."""

    __slots__ = (
        "_envelope",
        "attempt",
        "data",
        "headers",
        "message",
        "ns",
        "seen",
        "seq",
        "stream",
        "subject",
    )

    def __init__(self, message: Msg, at: float) -> None:
        # $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<ns>.<pending>
        parts = message.reply.split(".")
        self.message = message
        self.subject = message.subject
        self.data = message.data
        self.headers: Mapping[str, str] = message.headers or {}
        self.stream = parts[2]
        self.attempt = int(parts[4])
        self.seq = int(parts[5])
        self.ns = int(parts[7])  # when the broker stored it, nanoseconds since the epoch
        self.seen = at  # loop time at which the broker last learned that we work on it
        self._envelope: Envelope | None = None

    def become(self, parked: Parked, stored: Stored) -> None:
        """It stands for a message that was parked, as that lies in its stream."""
        self.stream, self.seq, self.subject = parked.stream, parked.seq, parked.subject
        self.data, self.headers = stored.data, stored.headers
        self.attempt += parked.attempts
        if stored.ts:
            self.ns = int(stored.time.timestamp() * NANO)
        self._envelope = None

    def fresh(self, ack_wait: float) -> bool:
        """Whether the broker surely has not given it to somebody else."""
        return asyncio.get_running_loop().time() - self.seen < ack_wait / 2

    def envelope(self) -> Envelope:
        """Its envelope. Raises UnknownEvent, which ends the message as Reject does."""
        if self._envelope is None:
            self._envelope = codec.decode(self.data)
        return self._envelope


class Consumer:
    """Runs a handler over a durable consumer with up to `concurrency` messages at once."""

    def __init__(
        self,
        broker: Broker,
        telemetry: Telemetry,
        health: Health,
        durable: subjects.Durable,
        handler: Handler,
        *,
        concurrency: int,
        ack_wait: float,
        span: str = "",
    ) -> None:
        self.broker = broker
        self.telemetry = telemetry
        self.health = health
        self.durable = durable
        self.handler = handler
        self.concurrency = concurrency
        self.ack_wait = ack_wait
        self.span = span or f"{durable.name}.handle"
        self._about = about(durable.stream, "process", subscription=durable.name)
        self._held: dict[int, Delivery] = {}  # by sequence: handed over and not yet answered
        self._tasks: set[asyncio.Task[None]] = set()
        self._bugs: dict[int, int] = {}
        self._dropped = Dropped(broker, durable.name)

    async def run(self, stopping: asyncio.Event, drain: float = 20.0) -> None:
        """Consume until `stopping`, then let what runs finish for up to `drain` seconds."""
        room = asyncio.Semaphore(self.concurrency)
        lost = partial(missing, self.broker, self.durable, self.ack_wait)
        limit = 2 * self.concurrency
        async with (
            Deliveries(
                self.broker, self.durable.stream, self.durable.name, limit=limit, lost=lost
            ) as pull,
            self._dropped.heard(),
        ):
            keeper = asyncio.create_task(self._keep())
            stopper = asyncio.create_task(_stop(pull, stopping))
            try:
                while messages := await pull.next():
                    for message in messages:
                        self._take(message, pull, room, stopping)
                for message in pull.queued():
                    await self._say(message, b"-NAK")
                if self._tasks:
                    await asyncio.wait(self._tasks, timeout=drain)
            finally:
                stopper.cancel()
                keeper.cancel()
                for task in tuple(self._tasks):
                    task.cancel()

    def _take(
        self, message: Msg, pull: Deliveries, room: asyncio.Semaphore, stopping: asyncio.Event
    ) -> None:
        delivery = Delivery(message, asyncio.get_running_loop().time())
        held = self._held.get(delivery.seq)
        if held is not None:  # given to us again while we are at it: answer the later one
            held.message, held.seen = message, delivery.seen
            pull.done()
            return
        self._held[delivery.seq] = delivery
        task = asyncio.create_task(self._turn(delivery, room, stopping))
        self._tasks.add(task)
        task.add_done_callback(partial(self._over, delivery.seq, pull))

    def _over(self, seq: int, pull: Deliveries, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        del self._held[seq]
        pull.done()

    async def _turn(
        self, delivery: Delivery, room: asyncio.Semaphore, stopping: asyncio.Event
    ) -> None:
        """Handle a message when there is room; give it back where we are stopping before."""
        async with room:
            if not stopping.is_set():
                await self._one(delivery)
                return
        await self._say(delivery.message, b"-NAK")

    async def _one(self, delivery: Delivery) -> None:
        answer = b"-NAK"  # where we are cancelled
        try:
            answer = await self._undropped(delivery)
        finally:
            if answer:
                with contextlib.suppress(Exception):
                    await self._say(delivery.message, answer)

    async def _undropped(self, delivery: Delivery) -> bytes:
        """What was dropped for good stays so, also when it is read again."""
        try:
            if await self._dropped.has(delivery.stream, delivery.seq):
                return b"+ACK"
        except (BrokerUnavailable, PostroadError):
            return nak(1.0)
        return await self.work(delivery)

    async def work(self, delivery: Delivery) -> bytes:
        """Handle a message; what to answer the broker, empty for nothing."""
        answer, began = b"-NAK", time.perf_counter()
        try:
            answer = await self._handled(delivery)
        finally:
            metrics, where = self.health.metrics, (self.durable.name, delivery.stream)
            metrics.add(instruments.CONSUMED, *where, OUTCOMES[answer[:4]])
            metrics.record(instruments.PROCESSED, *where, value=time.perf_counter() - began)
        return answer

    async def _handled(self, delivery: Delivery) -> bytes:
        try:
            with self.telemetry.consumer(self.span, delivery.headers, self._attributes(delivery)):
                await self.handler(delivery)
            self._bugs.pop(delivery.seq, None)
            self.health.count("handled")
            self.health.worked()
        except Retry as retry:
            self.health.count("retried")
            log.debug(
                "message.retry", stream=delivery.stream, seq=delivery.seq, reason=retry.reason
            )
            if not isinstance(retry, BrokerUnavailable | Busy | Paused):
                self.health.error(retry.reason)
            return nak(retry.delay)
        except Superseded:
            self.health.count("superseded")
            return b""
        except (Reject, UnknownEvent) as reject:
            return await self.park(delivery, "reject", str(reject), "")
        except Exception as bug:  # noqa: BLE001  whatever it is, it must not stop the loop
            tries = self._bugs[delivery.seq] = self._bugs.get(delivery.seq, 0) + 1
            where = traceback.extract_tb(bug.__traceback__)[-1]
            log.error(  # noqa: TRY400  a traceback could show an address
                "message.bug",
                stream=delivery.stream,
                seq=delivery.seq,
                error=type(bug).__name__,
                at=f"{where.name}:{where.lineno}",
                tries=tries,
                **trace_in(delivery.headers),
            )
            if tries >= BUG_TRIES:
                trace = "".join(traceback.format_exception(bug))
                return await self.park(delivery, "bug", f"{type(bug).__name__}", trace)
            return nak(0.5 * tries)
        return b"+ACK"

    def _attributes(self, delivery: Delivery) -> dict[str, Attribute]:
        attributes = {
            **self._about,
            "messaging.message.id": str(delivery.seq),
            "messaging.message.delivery_attempt": delivery.attempt,
        }
        if delivery.attempt > 1:
            attributes["postroad.redelivered"] = True
        return attributes

    async def park(
        self, delivery: Delivery, family: Literal["reject", "bug"], reason: str, trace: str
    ) -> bytes:
        """Copy the message to DEADLETTER; only then end it."""
        parked = Parked(
            stream=delivery.stream,
            seq=delivery.seq,
            subject=delivery.subject,
            durable=self.durable.name,
            reason=reason[:500],
            family=family,
            trace=trace[-4000:],
            attempts=delivery.attempt,
            data=delivery.data[:PARK_KEEPS],
        )
        subject = subjects.deadletter(self.durable.name, delivery.stream, delivery.seq)
        message = envelope(
            [parked], correlation=str(delivery.seq), actor=f"service:{self.health.service}"
        )
        try:
            await park(self.broker, subject, codec.encode(message))
        except (BrokerUnavailable, PostroadError):
            return nak(5.0)
        self._bugs.pop(delivery.seq, None)
        self.health.count("parked")
        self.health.error(f"message {delivery.seq} of {delivery.stream} was parked ({family})")
        where = trace_in(delivery.headers)
        log.error(
            "message.parked", stream=delivery.stream, seq=delivery.seq, family=family, **where
        )
        return b"+TERM " + family.encode()

    async def _keep(self) -> None:
        """Tell the broker that what runs is being worked on, well before it asks somebody else."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.ack_wait / 4)
            for delivery in tuple(self._held.values()):
                age = loop.time() - delivery.seen
                # what we held too long, because we were frozen, may be somebody else's by now
                if self.ack_wait / 5 < age < self.ack_wait / 2:
                    with contextlib.suppress(Exception):
                        await self._say(delivery.message, b"+WPI")
                        delivery.seen = loop.time()

    async def _say(self, message: Msg, answer: bytes) -> None:
        await self.broker.nc.publish(message.reply, answer)


def nak(delay: float) -> bytes:
    """Give a message back, to be seen again after so many seconds."""
    return b"-NAK " + msgspec.json.encode({"delay": int(delay * NANO)})


async def _stop(pull: Deliveries, stopping: asyncio.Event) -> None:
    await stopping.wait()
    pull.stop()
