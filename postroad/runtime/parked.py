"""What lies parked in DEADLETTER and waits for a person."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping

from nats.aio.msg import Msg

from postroad.runtime.apierror import ApiError
from postroad.runtime.broker import Broker
from postroad.runtime.errors import Conflict
from postroad.runtime.provision import NOT_FOUND
from postroad.runtime.pull import heads
from postroad.runtime.stored import Stored
from schemas.parking import ParkedResolved
from schemas.road import Parked

STREAM, ALL = "DEADLETTER", "deadletter.>"  # it also holds the broker's own advisories of the same
PARK_KEEPS = 512 << 10  # octets of a parked message; the broker takes 1 MB with its envelope


async def parked(broker: Broker) -> tuple[int, str]:
    """How many messages are parked that nobody has resolved, and what is known of the last.
    Raises ApiError, BrokerUnavailable."""
    waiting = await _waiting(broker)
    if not waiting:
        return 0, ""
    newest = await _newest(broker, waiting)
    for event in newest.events() if newest else ():
        if isinstance(event, Parked):
            where = f"by {event.durable}, message {event.seq} of {event.stream}"
            return len(waiting), f"{where}: {event.reason}"
    return len(waiting), "of a kind this release does not know"


async def given_up(broker: Broker) -> Collection[tuple[str, int]]:
    """The messages, by stream and sequence, that were parked and dropped for good, by all that have
    parked them. Raises ApiError, BrokerUnavailable."""
    counts = await _counts(broker, ALL)
    told = await _told(broker, counts)
    dropped, others = set[tuple[str, int]](), set[tuple[str, int]]()
    for subject in counts:
        if (place := _place(subject)) is not None:
            last = told.get(subject)
            (dropped if last and resolution(last, "dropped") else others).add(place)
    return dropped - others


async def _waiting(broker: Broker) -> Collection[str]:
    """Their subjects."""
    counts = await _counts(broker, ALL)
    told = await _told(broker, counts)
    return counts.keys() - {name for name, last in told.items() if resolution(last)}


async def _counts(broker: Broker, subject_filter: str) -> dict[str, int]:
    """How many messages each subject has."""
    found: dict[str, int] = {}
    while True:
        ask = {"subjects_filter": subject_filter, "offset": len(found)}
        try:
            info = await broker.api(f"STREAM.INFO.{STREAM}", ask)
        except ApiError as error:
            if error.err_code in NOT_FOUND:
                return {}
            raise
        page = info["state"].get("subjects") or {}
        found |= page
        if not page or len(found) >= info.get("total", 0):
            return found


async def _told(broker: Broker, counts: Mapping[str, int]) -> dict[str, Stored]:
    """The last message of each subject with several. What became of a message stands behind it, so
    most need not be read."""
    return await broker.last_many(STREAM, (name for name, count in counts.items() if count > 1))


async def _newest(broker: Broker, waiting: Collection[str]) -> Stored | None:
    """The latest of them; what was parked may be large, so only heads are looked through."""
    last = await broker.last(STREAM, ALL)
    if last is None or last.subject in waiting:
        return last
    found = [head.seq for head in await heads(broker, STREAM, ALL) if head.subject in waiting]
    return await broker.get(STREAM, found[-1]) if found else None


async def park(broker: Broker, subject: str, data: bytes) -> None:
    """Store a message that nobody could process: once, and anew where it failed again after it was
    requeued. Raises BrokerUnavailable, ApiError."""
    with contextlib.suppress(Conflict):
        await broker.publish(subject, data, expect=0)
        return
    last = await broker.last(STREAM, subject)
    if last is not None and resolution(last, "requeued"):
        with contextlib.suppress(Conflict):  # whoever parked it meanwhile said the same
            await broker.publish(subject, data, expect=last.seq)


def resolution(stored: Stored, how: str = "") -> ParkedResolved | None:
    """What this says became of a parked message; None where it says nothing of that."""
    for event in stored.events():
        if isinstance(event, ParkedResolved) and how in ("", event.how):
            return event
    return None


async def ordered(broker: Broker, subject: str, seq: int) -> Parked | None:
    """The parked message that is to be handled again by the order at `seq`; None where there is no
    order, or something was said of the message since. Raises BrokerUnavailable."""
    last = await broker.last(STREAM, subject)
    order = resolution(last, "requeued") if last is not None and last.seq == seq else None
    stored = await broker.get(STREAM, order.parked) if order is not None else None
    return parked_in(stored) if stored is not None else None


def parked_in(stored: Stored) -> Parked | None:
    """What was parked, as a message of DEADLETTER says; None where it says nothing of that."""
    return next((event for event in stored.events() if isinstance(event, Parked)), None)


async def lying(broker: Broker, parked: Parked) -> Stored:
    """A parked message as it lies in its stream, or, where it was deleted there, as it was parked.
    Raises BrokerUnavailable."""
    found = await broker.get(parked.stream, parked.seq)
    if found is not None and found.subject == parked.subject:
        return found
    return Stored(parked.subject, parked.seq, parked.data)


class Dropped:
    """What a durable has parked and somebody dropped for good. It is read when it is asked for
    first, and again where we may not have heard all that was said since."""

    def __init__(self, broker: Broker, durable: str) -> None:
        self._broker = broker
        self._subject = f"deadletter.{durable}.>"
        self._known: set[tuple[str, int]] = set()
        self._lost, self._heard = 1, 0  # how often we may have missed something, and made up for it
        self._reading = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def heard(self) -> AsyncIterator[None]:
        """Hear of what is resolved, for the length of the block."""

        async def hear(message: Msg) -> None:
            if b'"parked_resolved"' in message.data:
                self._learn(Stored(message.subject, 0, message.data))

        subscription = await self._broker.nc.subscribe(self._subject, cb=hear)
        self._broker.reconnected.append(self._forget)
        try:
            yield
        finally:
            self._broker.reconnected.remove(self._forget)
            with contextlib.suppress(Exception):
                await subscription.unsubscribe()

    async def has(self, stream: str, seq: int) -> bool:
        """Whether this message was dropped. Raises BrokerUnavailable, ApiError."""
        if self._heard < self._lost:
            async with self._reading:
                while self._heard < self._lost:
                    upto = self._lost
                    await self._read()
                    self._heard = upto
        return (stream, seq) in self._known

    def _forget(self) -> None:
        self._lost += 1

    async def _read(self) -> None:
        """Learn it all. What is heard meanwhile stays."""
        last = await _told(self._broker, await _counts(self._broker, self._subject))
        for stored in last.values():
            self._learn(stored)

    def _learn(self, stored: Stored) -> None:
        """Take in the last that was said of a message."""
        if (place := _place(stored.subject)) is not None:
            if resolution(stored, "dropped"):
                self._known.add(place)
            elif resolution(stored):
                self._known.discard(place)


def _place(subject: str) -> tuple[str, int] | None:
    """Stream and sequence of the message that is parked there."""
    match subject.split("."):
        case [_, _, stream, seq] if seq.isdecimal():
            return stream, int(seq)
    return None
