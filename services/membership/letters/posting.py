"""Letters on their way: stored in RAW, queued in SEND, each once."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

from postroad.mail.fields import body_offset, fields_end
from postroad.runtime.blobs import put_raw
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict
from postroad.runtime.telemetry import about, span
from schemas import codec, subjects
from schemas.road import ChunkQueued, Copy
from services.membership.letters.composing import compose
from services.membership.letters.letter import Letter
from services.membership.letters.wording import Wording

ACTOR = "service:membership"
Words = Callable[[str, str], Awaitable[Wording]]  # of a list (slug), for whom (address)


async def english(_list_slug: str, _address: str) -> Wording:
    """Ours, for everybody."""
    return Wording()


class Letterbox:
    """Sends letters, in the words that `words` has for their reader."""

    def __init__(self, broker: Broker, words: Words = english) -> None:
        self.broker = broker
        self.words = words

    async def send(
        self,
        letter: Letter,
        *,
        notice: str,
        list_slug: str,
        cause: str,
        post: int,
        person: str = "",
        bounces: tuple[str, str] = ("", ""),
    ) -> None:
        """Queue a letter; sent before, nothing happens, whatever it says now.

        `notice` is its mail id (see `notice_id`), `cause` the id of the mail or command that led
        to it, `post` the sequence of the event that did. What becomes of a letter is of
        interest where it names the `person` it is to and can come back (`bounces`, as in `Copy`).
        Raises ValueError for a letter that cannot be (see `compose`), BrokerUnavailable.
        """
        subject = subjects.send("now", list_slug, notice, "0")
        if await self.broker.last("SEND", subject) is not None:
            return
        ledger = subjects.delivery(list_slug, notice, "0")  # outlives the chunk
        if await self.broker.last("DELIVERY", ledger) is not None:
            return
        with span("membership.letter", kind="producer", trace=notice) as here:
            here.attributes = {**about("SEND", "send"), "postroad.list": list_slug}
            if here.trace == notice:  # of its own accord, and not because of what is handled now
                here.link_mail("cause", cause)
            # Stored, but not queued: a crash came between. What it said then stands, so that a new
            # release with better words does not contradict it.
            stored = await self.broker.last("RAW", subjects.raw(notice, 0, 0))
            data = stored.data if stored else await self._composed(letter, list_slug)
            head = body_offset(data, fields_end(data, 0))
            ref = await put_raw(self.broker, notice, 0, data, head)
            crashpoint("membership.after_letter")
            chunk = ChunkQueued(
                mail_id=notice,
                list=list_slug,
                chunk="0",
                people=(person,),
                addresses=(letter.to,),
                last=True,
                copy=Copy(
                    raw=ref,
                    list=list_slug,
                    list_address=letter.list_address,
                    list_name=letter.list_name,
                    notice=True,
                    bounces=bounces,
                    post=post,
                ),
            )
            message = envelope([chunk], correlation=cause, causation=cause, actor=ACTOR)
            with contextlib.suppress(Conflict):  # another instance was faster
                await self.broker.publish(subject, codec.encode(message), expect=0)

    async def _composed(self, letter: Letter, list_slug: str) -> bytes:
        return compose(replace(letter, wording=await self.words(list_slug, letter.to)))
