"""Parked messages that somebody requeued: handled once more, as if they had just been delivered.

Nothing is stored a second time. `ParkedResolved` behind a parked message is the order; a durable of
the service's own on DEADLETTER brings it, and the message itself, under its own subject and
sequence, goes to the handler that could not process it. So all keys hold: what is done is not done
again. What fails again is parked anew, behind the order.
"""

from __future__ import annotations

import structlog

from postroad.runtime.apierror import ApiError
from postroad.runtime.consume import Consumer, Delivery, nak
from postroad.runtime.errors import Retry
from postroad.runtime.parked import lying, ordered
from schemas import subjects

AT_ONCE = 4

log = structlog.get_logger()


class Again(Consumer):
    """Gives what was parked to the consumers of this process that parked it."""

    def __init__(self, first: Consumer) -> None:
        super().__init__(
            first.broker,
            first.telemetry,
            first.health,
            subjects.again(first.durable.name),
            first.handler,  # never called: each message goes to its own consumer's
            concurrency=AT_ONCE,
            ack_wait=first.ack_wait,
        )
        self._of = {first.durable.name: first}

    def add(self, consumer: Consumer) -> None:
        """One more whose messages may come again."""
        self._of[consumer.durable.name] = consumer

    async def work(self, delivery: Delivery) -> bytes:
        """Handle the message that an order is about; whatever else lies there is none."""
        try:
            parked = await ordered(self.broker, delivery.subject, delivery.seq)
            if parked is None:
                return b"+ACK"
            stored = await lying(self.broker, parked)
            consumer = self._of.get(parked.durable)
            if consumer is None:
                raise Retry("its consumer has not begun", 1.0)
        except Retry as retry:
            return nak(retry.delay)
        except ApiError:
            return nak(5.0)
        log.info("message.again", stream=parked.stream, seq=parked.seq)
        delivery.become(parked, stored)
        answer = await consumer.work(delivery)
        return b"+ACK" if answer.startswith(b"+TERM") else answer
