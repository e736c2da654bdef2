"""The envelope of every stored message, and the base of every event.

One message carries all events of one decision, so an envelope holds a tuple of them.
Event names and fields are the storage format: they are permanent. Adding a field with a
default needs no new version; anything else gets a new `v` and an upcaster in `schemas.codec`.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="t"):
    """Base of every event. `v` is the version of its shape; absent on the wire means 1."""

    v: int = 1


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What every event travels in.

    `id` is a UUIDv7 (32 hex digits), `correlation` the mail id or command id the whole story
    belongs to, `causation` the id of the envelope that led to this one, `actor` who did it:
    `service:router`, `person:<id>`, `operator`, or `operator:<login>` where a
    command says who gave it.
    """

    id: str
    ts: datetime
    correlation: str
    causation: str = ""
    actor: str = ""
    events: tuple[Event, ...] = ()
