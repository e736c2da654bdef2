"""What lies parked in DEADLETTER and waits for a person."""

from __future__ import annotations

from collections.abc import Collection

from postroad.runtime.apierror import ApiError
from postroad.runtime.broker import Broker
from postroad.runtime.provision import NOT_FOUND
from postroad.runtime.pull import heads
from postroad.runtime.stored import Stored
from schemas.parking import ParkedResolved
from schemas.road import Parked

STREAM, ALL = "DEADLETTER", "deadletter.>"  # it also holds the broker's own advisories of the same


async def parked(broker: Broker) -> tuple[int, str]:
    """How many messages are parked that nobody has resolved, and what is known of the last.
    Raises ApiError, BrokerUnavailable."""
    waiting = await _waiting(broker)
    if not waiting:
        return 0, ""
    newest = await _newest(broker, waiting)
    for event in newest.events() if newest else ():
        if isinstance(event, Parked):
            return len(waiting), f"by {event.durable}: {event.reason}"
    return len(waiting), "of a kind this release does not know"


async def _waiting(broker: Broker) -> Collection[str]:
    """Their subjects. What became of a message stands behind it, so most need not be read."""
    try:
        info = await broker.api(f"STREAM.INFO.{STREAM}", {"subjects_filter": ALL})
    except ApiError as error:
        if error.err_code in NOT_FOUND:
            return ()
        raise
    counts: dict[str, int] = info["state"].get("subjects") or {}
    told = await broker.last_many(STREAM, (name for name, count in counts.items() if count > 1))
    resolved = {
        name
        for name, last in told.items()
        if any(isinstance(event, ParkedResolved) for event in last.events())
    }
    return counts.keys() - resolved


async def _newest(broker: Broker, waiting: Collection[str]) -> Stored | None:
    """The latest of them; what was parked may be large, so only heads are looked through."""
    last = await broker.last(STREAM, ALL)
    if last is None or last.subject in waiting:
        return last
    found = [head.seq for head in await heads(broker, STREAM, ALL) if head.subject in waiting]
    return await broker.get(STREAM, found[-1]) if found else None
