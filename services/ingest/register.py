"""What a source with named mails (see `standing`) does with the broker: where it stands in KV, and
the way of its mails onto the road."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
import structlog

from postroad.mail.identity import named_id
from postroad.runtime.clock import now
from postroad.runtime.errors import PostroadError, Retry
from schemas import subjects
from schemas.codec import UnknownEvent
from schemas.road import MailReceived, Origin
from services.ingest.arrival import Arrival
from services.ingest.feed import Sessions
from services.ingest.publisher import STREAM, Publisher
from services.ingest.standing import MOST, Standing, Stored, restored
from services.ingest.trouble import MailboxError

log = structlog.get_logger()


class Register:
    """The mails of one place. `standing` is there once it was `opened`; `failures` counts by
    digest how often a mail could not be taken."""

    standing: Standing

    def __init__(self, feed: Sessions, place: str, folder: str = "") -> None:
        self.feed = feed
        self.place = place
        self.folder = folder
        self.broker = feed.context.broker
        self.failures: Counter[bytes] = Counter()
        self.publisher = Publisher(feed.context, feed.source)
        self._stored: Stored | None = None

    async def opened(self) -> bool:
        """Whether this place was met before; then `standing` says where we are."""
        if self._stored is None:
            key = subjects.checkpoint(self.feed.source.name)
            found = await self.broker.last("KV_CHECKPOINTS", key)
            self._stored = _read(found.data) if found else None
            standing = restored(self._stored, self.place)
            if standing is None:
                self._stored = None
                return False
            self.standing = standing
        return True

    async def contact(self, left: Sequence[bytes], *, whole: bool = False) -> None:
        """The first contact: these are not for us, or the `whole` place is. It must be stored
        before any mail is looked at, or "now" would be a later now after a crash."""
        self.standing = Standing(self.place, now(), self.feed.source.start, left, whole=whole)
        await self.save()

    async def save(self) -> None:
        """Store where we stand. Raises MailboxError where that is too much to remember."""
        if self.standing.full:
            what = f"more than {MOST:,} mails are left there, too many to tell apart"
            remedy = "take old mail away"
            raise MailboxError(self.feed.source, what, remedy, lasting=True)
        stored = self.standing.stored()
        if stored != self._stored:
            key = subjects.checkpoint(self.feed.source.name)
            await self.broker.publish(key, msgspec.json.encode(stored))
            self._stored = stored

    def arrival(self, origin: Origin, name: str, size: int) -> Arrival:
        """The mail of this name, as the road knows it."""
        id_ = named_id(origin.source, self.folder, name, origin.arrived)
        return Arrival(mail_id=id_, origin=origin, size=size)

    async def receive(self, mails: Sequence[tuple[bytes, Arrival, bytes]]) -> None:
        """Put mails (digest, arrival, bytes) onto the road, and remember those that are there as
        `taken`. Raises what kept one from it, after all others."""
        outcomes = await self.publisher.receive([(mail, data) for _, mail, data in mails])
        self.feed.count(self.publisher)
        problems: list[BaseException] = []
        for (key, _, _), outcome in zip(mails, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                problems.append(outcome)
                if not isinstance(outcome, PostroadError | Retry):  # a fault of ours
                    self.failures[key] += 1
            else:
                self.failures.pop(key, None)
                (self.standing.taken if outcome else self.standing.left).add(key)
        if problems:
            raise problems[0]

    async def contents(self) -> set[str]:
        """SHA-256 in hex of all mail that this source was ever seen to take."""
        found: set[str] = set()
        everything = subjects.received(self.feed.source.name, ">")
        async for message in self.broker.scan(STREAM, everything):
            try:
                events = message.envelope().events
            except UnknownEvent:
                log.warning("received.event_unknown", seq=message.seq)
                continue
            found.update(event.raw.sha256 for event in events if isinstance(event, MailReceived))
        return found


def _read(data: bytes) -> Stored | None:
    """What KV holds; None where a source of another kind wrote it."""
    try:
        return msgspec.json.decode(data, type=Stored)
    except msgspec.DecodeError:
        return None
