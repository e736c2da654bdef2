"""The events of this system, read and folded by this release; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from postroad.cli.upgrading.outcome import NO_EVENTS, Folding, Outcome
from postroad.cli.upgrading.tables import Tables
from postroad.runtime.apierror import ApiError
from postroad.runtime.backup.reading import read
from postroad.runtime.parked import given_up
from postroad.runtime.provision import NOT_FOUND
from postroad.runtime.stored import Stored
from projections.catalog import projections
from schemas import subjects

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker


async def folded(broker: Broker, tell: Callable[[int, int], None]) -> Outcome:
    """What all that is retained becomes. Raises BrokerUnavailable, ApiError."""
    wanted = {each.stream for each in projections()}
    ends, total, done = {}, 0, 0
    for stream in subjects.STREAMS:
        if stream.name in NO_EVENTS and stream.name not in wanted:
            continue
        try:
            state = (await broker.api(f"STREAM.INFO.{stream.name}"))["state"]
        except ApiError as error:
            if error.err_code not in NOT_FOUND:
                raise
            continue
        ends[stream.name] = state["last_seq"]
        total += state["messages"]
    folding = Folding(projections(), Tables(projections()).stored, await given_up(broker))
    for name, last in ends.items():
        async for page in read(broker, name, 1, last):
            folding.take(name, [Stored(r.subject.decode(), r.seq, r.data, ns=r.ns) for r in page])
            done += len(page)
            tell(done, total)
    return folding.outcome()
