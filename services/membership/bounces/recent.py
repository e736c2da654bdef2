"""Bounces of the last days, found in MEMBERSHIP without reading all of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime

from postroad.runtime.broker import Broker
from schemas.codec import UnknownEvent
from schemas.membership import MemberBounced

_BOUNCED = b'"t":"member_bounced"'


async def bounces_since(
    broker: Broker, subject: str, at: datetime | None
) -> AsyncIterator[tuple[str, str, MemberBounced]]:
    """List, person and bounce of all that were stored under `subject` since then (None: ever)."""
    start = await _sequence(broker, at) if at else 1
    async for stored in broker.scan("MEMBERSHIP", subject, start):
        if _BOUNCED in stored.data:
            _, list_, person = stored.subject.split(".")
            with contextlib.suppress(UnknownEvent):  # of a newer release
                for event in stored.envelope().events:
                    if isinstance(event, MemberBounced):
                        yield list_, person, event


async def _sequence(broker: Broker, at: datetime) -> int:
    """The sequence stored then, or the one before: some 20 reads of a million."""
    last = await broker.last("MEMBERSHIP", "membership.>")
    low, high = 1, last.seq + 1 if last else 1
    while high - low > 1:
        middle = (low + high) // 2
        stored = await broker.get("MEMBERSHIP", middle)
        if stored is None or stored.time < at:
            low = middle
        else:
            high = middle
    return low
