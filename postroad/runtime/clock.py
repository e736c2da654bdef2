"""Time and identity: the only place that reads the clock or makes ids."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from datetime import UTC, datetime

from schemas.envelope import Envelope, Event


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def instant(text: str) -> datetime | None:
    """The time that this says with its offset (ISO 8601); None where it says none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if found.tzinfo is None else found


def new_id() -> str:
    """A UUIDv7 (RFC 9562) as 32 hex digits: sorts by time, 74 random bits."""
    value = int.from_bytes(os.urandom(10), "big")
    ms = time.time_ns() // 1_000_000
    high = (ms << 16) | 0x7000 | (value >> 68)
    low = (0b10 << 62) | (value & ((1 << 62) - 1))
    return f"{high:016x}{low:016x}"


def envelope(
    events: Iterable[Event], *, correlation: str, causation: str = "", actor: str = ""
) -> Envelope:
    """Events in a fresh envelope, stamped now."""
    return Envelope(
        id=new_id(),
        ts=now(),
        correlation=correlation,
        causation=causation,
        actor=actor,
        events=tuple(events),
    )
