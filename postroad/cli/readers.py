"""Whom a letter was to. Most name no person in their events: the address stands in the queue alone,
and is told as long as that is kept."""

from __future__ import annotations

from postroad.runtime.broker import Broker
from schemas.road import ChunkQueued

NOBODY = ""  # the person of a letter that names none


async def reader(broker: Broker, letter: str) -> str:
    """The address that a letter to nobody named went to, empty where it is kept no more."""
    async for stored in broker.scan("SEND", f"mail.send.*.*.{letter}.*"):
        for event in stored.events():
            if isinstance(event, ChunkQueued) and event.people == (NOBODY,):
                return event.addresses[0]
    return ""
