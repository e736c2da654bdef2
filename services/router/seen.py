"""SEEN: what each author has posted to a list lately."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A post that is to be decided on."""

    this: Seen
    raw: RawMail
    decide: Callable[..., Decision]
    answer: asyncio.Future[Decision]


class Authors:
    """What each author has posted to a list lately, for the rule `repetition`."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._waiting: dict[str, list[_Asked]] = {}

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
        asked = _Asked(this, raw, decide, asyncio.get_running_loop().create_future())
        waiting = self._waiting.setdefault(subject, [])
        waiting.append(asked)
        try:
            async with lock:
                if not asked.answer.done():  # else whoever was before answered all that waited
                    await self._answer(
                        subject, [each for each in waiting if not each.answer.done()]
                    )
            return asked.answer.result()
        finally:
            waiting.remove(asked)
            if not waiting and self._waiting.get(subject) is waiting:
                del self._waiting[subject]

    async def _answer(self, subject: str, asked: Sequence[_Asked]) -> None:
        """Decide on posts of one author in their order, and remember them at once: one post after
        the other would wait for the disk each."""
        while True:
            stored = await self._broker.last("SEEN", subject)
            earlier = known = _decode(stored.data) if stored else ()
            found: list[Decision | Exception] = []
            for each in asked:
                try:
                    this = await compared(each.this, known, each.raw)
                    decision = each.decide(this=this, earlier=known)
                except Exception as error:  # noqa: BLE001  of this mail alone
                    found.append(error)
                    continue
                found.append(decision)
                if decision[0] == "post":
                    known = repetition.remembered(known, this)
            try:
                if known is not earlier:
                    expect = stored.seq if stored else 0
                    await self._broker.publish(subject, _encode(known), expect=expect)
            except Conflict:  # another router was ahead
                continue
            for each, outcome in zip(asked, found, strict=True):
                if each.answer.done():
                    continue  # nobody waits for it any more
                if isinstance(outcome, Exception):
                    each.answer.set_exception(outcome)
                else:
                    each.answer.set_result(outcome)
            return


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
