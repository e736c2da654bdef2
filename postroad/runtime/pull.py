"""Continuous pull: messages of a consumer as they come, asked for before they run out.

Three times as fast as nats-py's `fetch`, and it can bound bytes. It survives what makes a pull go
silent (a restarted broker, an election, a consumer that vanished): when nothing is heard for two
heartbeats, or after a reconnect, it asks again, and makes an ephemeral consumer anew.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Generic, Self, TypeVar

import msgspec
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from postroad.runtime.clock import new_id
from postroad.runtime.errors import BrokerUnavailable
from postroad.runtime.stored import Stored

if TYPE_CHECKING:
    from nats.aio.subscription import Subscription

    from postroad.runtime.broker import Broker

HEARTBEAT = 5.0  # seconds
EXPIRES = 30.0  # seconds a pull request lives on the server
NANO = 1_000_000_000
MAX_BYTES = 16 << 20
PAGE = 1000  # messages asked for at once where only headers are read

log = structlog.get_logger()
_json = msgspec.json.Encoder().encode


M = TypeVar("M")


class Pull(ABC, Generic[M]):
    """Messages of one pull consumer, as `M`. `limit` bounds what is asked for but not yet
    `done()`."""

    def __init__(
        self,
        broker: Broker,
        stream: str,
        consumer: str,
        *,
        limit: int,
        max_bytes: int = MAX_BYTES,
        lost: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.broker = broker
        self.stream = stream
        self.consumer = consumer
        self.limit = limit
        self.max_bytes = max_bytes
        self.lost = lost  # called when the consumer is gone
        self._asked = 0  # messages the server still owes us
        self._held = 0  # messages handed over and not yet done
        self._queue: deque[M] = deque()
        self._wake = asyncio.Event()
        self._heard = 0.0
        self._gone = False
        self._subscription: Subscription | None = None
        self._inbox = ""
        self.stopped = False

    async def __aenter__(self) -> Self:
        self._inbox = self.broker.nc.new_inbox()
        self._subscription = await self._subscribe(self._inbox)
        self.broker.reconnected.append(self._reconnected)
        await self._ask()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.broker.reconnected.remove(self._reconnected)
        if self._subscription is not None:
            with contextlib.suppress(Exception):
                await self._subscription.unsubscribe()

    def stop(self) -> None:
        """End the iteration; what is queued and not handed over stays with the server."""
        self.stopped = True
        self._wake.set()

    def queued(self) -> list[M]:
        """What arrived and was not handed over, to be given back at a stop."""
        rest = list(self._queue)
        self._queue.clear()
        return rest

    def done(self, count: int = 1) -> None:
        """`count` messages handed over are dealt with: room for more."""
        self._held -= count
        if self._room():
            self._wake.set()

    def _room(self) -> bool:
        return self._asked + len(self._queue) + self._held <= self.limit // 2

    async def next(self) -> list[M]:
        """The messages that are here; waits for at least one. Empty once stopped."""
        loop = asyncio.get_running_loop()
        while not self.stopped:
            if self._gone or loop.time() - self._heard > 2 * HEARTBEAT:
                await self._revive()
            if self._room():
                await self._ask()
            if self._queue:
                self._heard = loop.time()
                batch = list(self._queue)
                self._queue.clear()
                self._held += len(batch)
                return batch
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                # not wait_for: Python 3.11's swallows a cancellation that meets the event
                async with asyncio.timeout(HEARTBEAT):
                    await self._wake.wait()
        return []

    async def _revive(self) -> None:
        self._asked = 0
        self._heard = asyncio.get_running_loop().time()
        if self.lost is not None:
            try:
                await self.lost()
            except (BrokerUnavailable, NatsError):
                await asyncio.sleep(0.5)
                return
        self._gone = False
        await self._ask()

    async def _ask(self) -> None:
        count = self.limit - self._asked - len(self._queue) - self._held
        if count <= 0:
            return
        self._asked += count
        self._heard = asyncio.get_running_loop().time()
        body = {
            "batch": count,
            "expires": int(EXPIRES * NANO),
            "idle_heartbeat": int(HEARTBEAT * NANO),
            "max_bytes": self.max_bytes,
        }
        with contextlib.suppress(NatsError, OSError):
            await self.broker.nc.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{self.stream}.{self.consumer}",
                _json(body),
                reply=self._inbox,
            )

    @abstractmethod
    async def _subscribe(self, inbox: str) -> Subscription:
        """Have what arrives there go to `_arrived` and `_told`."""

    def _arrived(self, message: M) -> None:
        self._asked -= self._asked > 0
        if not self._queue:  # else whoever waits is awake already
            self._wake.set()
        self._queue.append(message)

    def _told(self, head: Mapping[str, str]) -> None:
        """The server says something about a request."""
        loop = asyncio.get_running_loop()
        self._heard = loop.time()
        status = head["Status"]
        if status == "100":
            return
        if status in ("404", "408", "409") and "Nats-Pending-Messages" in head:
            self._asked = max(0, self._asked - int(head["Nats-Pending-Messages"]))
            self._wake.set()
        else:  # consumer deleted, leadership changed, no responders
            loop.call_later(0.1, self._reconnected)  # an election answers at once, for seconds

    def _reconnected(self) -> None:
        self._gone = True
        self._wake.set()


class Deliveries(Pull[Msg]):
    """Messages as nats-py makes them, which can be acknowledged."""

    async def _subscribe(self, inbox: str) -> Subscription:
        return await self.broker.nc.subscribe(
            inbox, cb=self._receive, pending_msgs_limit=-1, pending_bytes_limit=-1
        )

    async def _receive(self, message: Msg) -> None:
        head = message.headers
        if head and "Status" in head:
            self._told(head)
        else:
            self._arrived(message)


async def heads(broker: Broker, stream: str, subject_filter: str) -> list[Stored]:
    """Every message that there is now, in order, by its headers: its bytes stay where they are.
    Raises BrokerUnavailable, ApiError."""
    return [each async for page in head_pages(broker, stream, subject_filter) for each in page]


async def head_pages(
    broker: Broker, stream: str, subject_filter: str, *, seconds: float = 2 * HEARTBEAT
) -> AsyncIterator[list[Stored]]:
    """The same by and by; between two pages may lie so many `seconds`."""
    name = f"heads-{new_id()}"
    all_heads = {"deliver_policy": "all", "headers_only": True}
    await ephemeral(broker, stream, name, subject_filter, seconds, all_heads)
    inbox = broker.nc.new_inbox()
    subscription = await broker.nc.subscribe(inbox, pending_msgs_limit=-1, pending_bytes_limit=-1)
    try:
        more = True
        while more:
            page: list[Stored] = []
            ask = _json({"batch": PAGE, "no_wait": True})
            await broker.nc.publish(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}", ask, reply=inbox)
            while more and len(page) < PAGE:
                message = await subscription.next_msg(HEARTBEAT)
                head = message.headers or {}
                more = "Status" not in head  # there are no more
                if more:
                    seq = int(message.reply.split(".")[5])
                    page.append(Stored(message.subject, seq, b"", head))
            if page:
                yield page
    except (NatsError, OSError) as error:
        raise BrokerUnavailable(f"the headers of {subject_filter} could not be read") from error
    finally:
        with contextlib.suppress(Exception):
            await subscription.unsubscribe()
            await broker.api(f"CONSUMER.DELETE.{stream}.{name}")


async def ephemeral(
    broker: Broker,
    stream: str,
    name: str,
    subject_filter: str,
    seconds: float,
    more: Mapping[str, object],
) -> None:
    """A consumer without acknowledgements, gone when nobody has asked for so many seconds."""
    config = {
        "name": name,
        "filter_subject": subject_filter,
        "ack_policy": "none",
        "replay_policy": "instant",
        "mem_storage": True,
        "num_replicas": 1,
        "inactive_threshold": int(seconds * NANO),
        **more,
    }
    await broker.api(
        f"CONSUMER.CREATE.{stream}.{name}.{subject_filter}",
        {"stream_name": stream, "config": config},
    )
