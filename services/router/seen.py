"""SEEN: what each author has posted to a list lately."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Sequence
from weakref import WeakValueDictionary

import msgspec

from postroad.mail.gist import gist
from postroad.runtime.blobs import RawMail
from postroad.runtime.broker import Broker
from postroad.runtime.errors import Conflict
from schemas import subjects
from schemas.envelope import Event
from schemas.mail import Mailbox
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
        raw: RawMail,
        decide: Callable[..., Decision],
    ) -> Decision:
        """What `decide` makes of a post (`this`) and the author's `earlier` ones. What goes out is
        remembered. Raises Retry, Reject (see `get_raw`).

        Posts of one author are decided one after the other, whichever router has them; a mail
        that is delivered again counts once. `who` is a person's id or `stranger()`; `raw` is looked
        into only where an earlier post was written at the same moment.
        """
        subject = subjects.recent(slug, who)
        lock = self._locks.setdefault(subject, asyncio.Lock())  # spares most conflicts
        async with lock:
            while True:
                stored = await self._broker.last("SEEN", subject)
                earlier = _decode(stored.data) if stored else ()
                this = await compared(this, earlier, raw)
                decision = decide(this=this, earlier=earlier)
                if decision[0] != "post":
                    return decision
                posts = _encode(repetition.remembered(earlier, this))
                with contextlib.suppress(Conflict):
                    await self._broker.publish(subject, posts, expect=stored.seq if stored else 0)
                    return decision


async def compared(this: Seen, earlier: tuple[Seen, ...], raw: RawMail) -> Seen:
    """The post with what tells it from earlier ones, where it may be one of them. Raises as
    `RawMail.start`."""
    if this.gist or not repetition.same_moment(this, earlier):
        return this
    return msgspec.structs.replace(this, gist=gist(await raw.start()))


def stranger(authors: Sequence[Mailbox]) -> str:
    """Stands for an author whom membership does not know. 16 bits: enough to keep strangers apart
    for a day, too few to tell an address by."""
    address = authors[0].address if authors else ""
    return hashlib.sha256(address.encode()).hexdigest()[:4]
