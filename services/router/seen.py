"""SEEN: what each list has posted. Claims, so that it is posted once; and who posted it lately."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable
from weakref import WeakValueDictionary

import msgspec

from postroad.runtime.broker import Broker
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict
from schemas import subjects
from schemas.envelope import Event
from schemas.road import MailReceived
from schemas.seen import Seen
from services.router import decider
from services.router.copies import BEEN_THERE
from services.router.rules import repetition

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[Seen, ...]).decode

Decision = tuple[subjects.Kind, Event]


class Claims:
    """Which mail a list has posted, by what makes two mails the same post."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def claim(self, slug: str, mail: MailReceived) -> str:
        """Claim a post for its list; the id of the mail that had claimed it before, if any.

        Who is killed after its claim finds its own id there when the mail comes again.
        """
        digest = await self._digest(mail)
        if not digest:
            return ""
        subject = subjects.seen(slug, digest)
        with contextlib.suppress(Conflict):
            await self._broker.publish(subject, mail.mail_id.encode(), expect=0)
            crashpoint("router.after_claim")
            return ""
        first = await self._claimed(subject)
        return "" if first == mail.mail_id else first

    async def original_at(self, slug: str, mail: MailReceived) -> str:
        """The id under which this list has posted the mail that `mail` is a copy of, if it has.

        The body is not asked for: the relay may have changed it, and all that a false trace
        costs is the mail that bears it.
        """
        original = await self._original(mail)
        digest = "" if original is mail else decider.digest(original)
        first = await self._claimed(subjects.seen(slug, digest)) if digest else ""
        return "" if first == mail.mail_id else first

    async def _digest(self, mail: MailReceived) -> str:
        """What makes the mail the same post as another. A copy that a list of ours sent is what
        its original is, whatever became of its From; with another body it stands for itself, or
        a false trace could claim the post of somebody else."""
        original = await self._original(mail)
        same = original.body_sha256 == mail.body_sha256
        return decider.digest(original if same else mail)

    async def _claimed(self, subject: str) -> str:
        first = await self._broker.last("SEEN", subject)
        return first.data.decode() if first else ""

    async def _original(self, mail: MailReceived) -> MailReceived:
        """The mail as its author sent it, before any list of ours; `mail` itself where it is so,
        or where its trace names no post."""
        for _ in range(BEEN_THERE):
            trace = mail.facts.trace
            if not trace or not await self._posted(trace):
                break
            stored = await self._broker.last("RECEIVED", subjects.received("*", trace))
            events = stored.envelope().events if stored else ()
            before = next((each for each in events if isinstance(each, MailReceived)), None)
            if before is None:
                break
            mail = before
        return mail

    async def _posted(self, trace: str) -> bool:
        post = subjects.routed("post", "*", trace)
        return await self._broker.last("ROUTED", post) is not None


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
