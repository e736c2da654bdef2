"""SEEN: what each author has posted to a list lately."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable
from weakref import WeakValueDictionary

import msgspec

from postroad.runtime.broker import Broker
from postroad.runtime.errors import Conflict
from schemas import subjects
from schemas.envelope import Event
from schemas.seen import Seen
from services.router.rules import repetition

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[Seen, ...]).decode

Decision = tuple[subjects.Kind, Event]


class Authors:
    """What each author has posted to a list lately, for the rule `repetition`."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def decide(
        self,
        slug: str,
        who: str,
        this: Seen,
        decide: Callable[[tuple[Seen, ...]], Decision],
    ) -> Decision:
        """What `decide` makes of a post and the author's earlier ones. What goes out is remembered.

        Posts of one author are decided one after the other, whichever router has them; a mail
        that is delivered again counts once. `who` is a person's id or `stranger()`.
        """
        subject = subjects.recent(slug, who)
        lock = self._locks.setdefault(subject, asyncio.Lock())  # spares most conflicts
        async with lock:
            while True:
                stored = await self._broker.last("SEEN", subject)
                earlier = _decode(stored.data) if stored else ()
                decision = decide(earlier)
                if decision[0] != "post":
                    return decision
                posts = _encode(repetition.remembered(earlier, this))
                with contextlib.suppress(Conflict):
                    await self._broker.publish(subject, posts, expect=stored.seq if stored else 0)
                    return decision


def stranger(address: str) -> str:
    """Stands for an author whom membership does not know. 16 bits: enough to keep strangers apart
    for a day, too few to tell an address by."""
    return hashlib.sha256(address.encode()).hexdigest()[:4]
