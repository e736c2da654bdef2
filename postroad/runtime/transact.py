"""Load, fold, decide, append; again from the start where somebody else was faster.

One aggregate is one subject, and one message holds all events of one decision, so the expected
last sequence of that subject is all the locking there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from postroad.runtime.errors import Conflict, Retry
from postroad.runtime.stored import Stored
from schemas import codec
from schemas.envelope import Event

S = TypeVar("S")
TRIES = 20  # conflicts in a row on one subject; more means something is wrong


async def transact(
    broker: Broker,
    stream: str,
    subject: str,
    fold: Callable[[Iterable[Event]], S],
    decide: Callable[[S], Sequence[Event]],
    *,
    correlation: str,
    causation: str = "",
    actor: str,
    latest: bool = False,
) -> tuple[Sequence[Event], int]:
    """Decide on the current state of `subject` and append the outcome.

    Returns the events and their sequence; no events, and the subject's last, where nothing was
    to be done. What was appended before for the same `correlation` and `causation` is returned
    as it was: whoever died after it and tries again learns what came of it. Where each message says
    all there is of its subject, the `latest` is enough. Whatever `decide`
    raises goes to the caller. Raises Retry after 20 conflicts in a row.
    """
    for _ in range(TRIES):
        events: list[Event] = []
        last = 0
        for stored in await _life(broker, stream, subject, latest=latest):
            message = stored.envelope()
            if (message.correlation, message.causation) == (correlation, causation):
                return message.events, stored.seq
            events.extend(message.events)
            last = stored.seq
        decision = decide(fold(events))
        if not decision:
            return (), last
        message = envelope(decision, correlation=correlation, causation=causation, actor=actor)
        try:
            return decision, await broker.publish(subject, codec.encode(message), expect=last)
        except Conflict:
            continue
    raise Retry(f"too many writers of {stream} at once", 1.0)


async def _life(broker: Broker, stream: str, subject: str, *, latest: bool) -> Sequence[Stored]:
    if latest:
        last = await broker.last(stream, subject)
        return [last] if last else []
    return [stored async for stored in broker.scan(stream, subject)]
