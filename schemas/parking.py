"""What became of parked messages: events of DEADLETTER beside `schemas.road.Parked`.

These names are the storage format and are permanent.
"""

from __future__ import annotations

from typing import Literal

from schemas.envelope import Event


class ParkedResolved(Event, tag="parked_resolved", kw_only=True):
    """A parked message needs nobody any more: it was `dropped` for good, or `requeued`, put back
    where it came from. Stands behind the `Parked` on the same subject, whose sequence it names."""

    parked: int
    how: Literal["dropped", "requeued"]
    reason: str = ""
