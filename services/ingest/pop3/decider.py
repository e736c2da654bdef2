"""What to do with each mail of a POP3 mailbox. Pure.

- a mail is known by its unique id, or, where it has none of its own, by its bytes
- what is not known is read, and taken once: its id on the road comes from its name
- where all unique ids changed at once, what RECEIVED holds is told by its bytes, and what is too
  old to be news is not taken
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Literal

from postroad.mail.arrived import arrived
from postroad.mail.identity import content_name
from services.ingest.decider import FETCH_TRIES, STALE, Refusal
from services.ingest.pop3.syntax import Listed
from services.ingest.standing import Standing, digest

Action = Literal["fetch", "finish", "skip"] | Refusal
Outcome = Literal["take", "finish", "skip"] | Refusal


def key_of(mail: Listed) -> bytes:
    """What tells a mail before it is read; b"" where only its bytes do."""
    return digest(mail.uidl) if mail.uidl else b""


def judge(standing: Standing, mail: Listed, *, largest: int, failures: int = 0) -> Action:
    """What to do with a mail that is listed. `failures` tells how often it could not be had; above
    FETCH_TRIES it was refused, and nothing else tells it from others."""
    key = key_of(mail)
    if key in standing.left or failures > FETCH_TRIES:
        return "skip"
    if key in standing.taken:
        return "finish"
    if mail.size > largest:
        return "too_large"
    return "unreadable" if failures >= FETCH_TRIES else "fetch"


def name_of(mail: Listed, data: bytes) -> str:
    """The name of a mail that was read."""
    return mail.uidl or content_name(data)


def resolve(
    standing: Standing,
    mail: Listed,
    data: bytes,
    *,
    received: Collection[str] | None,
    now: datetime,
    stale_after: timedelta = STALE,
) -> Outcome:
    """What to do with a mail once it is read. `received` are the digests of what RECEIVED holds,
    where all unique ids changed (None otherwise)."""
    key = digest(name_of(mail, data))
    if key in standing.left:
        return "skip"
    if key in standing.taken:
        return "finish"
    if received is None:
        return "take"
    if hashlib.sha256(data).hexdigest() in received:
        return "finish"
    came = arrived(data)
    if came is not None and standing.start == "now" and came < standing.since:
        return "skip"
    return "stale" if came is not None and came < now - stale_after else "take"
