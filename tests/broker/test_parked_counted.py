"""Status counts what is parked and waits for a person."""

from __future__ import annotations

from postroad.runtime.broker import Broker
from postroad.runtime.parked import parked
from schemas import subjects
from tests.broker.finishedmail import Finished, mail_id


async def test_what_was_resolved_is_parked_no_more(broker: Broker) -> None:
    """Only messages that nobody has resolved are counted, and the last of these is told, whatever
    was said of others since; the broker's own advisories are no messages."""
    road = Finished(broker)
    assert await parked(broker) == (0, "")
    names = []
    for number, durable in enumerate(("router", "fanout", "sender-now")):
        await road.mail(number)
        names.append(await road.park(subjects.received("box", mail_id(number)), durable))
    assert await parked(broker) == (3, "by sender-now, message 3 of RECEIVED: a bug")
    await road.resolve(names[2], "dropped")
    await road.resolve(names[0], "requeued")
    assert await parked(broker) == (1, "by fanout, message 2 of RECEIVED: a bug")
    await road.resolve(names[1], "dropped")
    assert await parked(broker) == (0, "")
