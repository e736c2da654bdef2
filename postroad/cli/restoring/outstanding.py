"""What would go out: copies in SEND of which the ledger does not say what became of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from schemas import codec, subjects
from schemas.road import ChunkQueued, Intent, MailReceived, PostRouted, WindowRecorded
from services.sender import ledger
from services.sender.ledger import Position

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker
    from postroad.runtime.stored import Stored

AT_ONCE = 500  # chunks whose ledgers are asked for together


class Owed(NamedTuple):
    """A chunk that is not finished, where its ledger stands, and when its mail came."""

    chunk: ChunkQueued
    at: Position
    since: datetime
    correlation: str
    intent: Intent | None  # of the window that was open

    @property
    def copies(self) -> int:
        """That are still to be sent."""
        return len(self.chunk.people) - self.at.done - len(self.at.sent)


class Waiting(msgspec.Struct, kw_only=True):
    """What a list still owes of one mail: `doubtful` copies were on their way."""

    list: str
    mail: str
    subject: str
    since: str
    copies: int = 0
    doubtful: int = 0
    letter: bool = False


async def owed(broker: Broker) -> AsyncIterator[Owed]:
    """Every chunk that is not finished, each once. Raises BrokerUnavailable."""
    seen: set[str] = set()
    page: list[tuple[str, ChunkQueued, Stored]] = []
    for subject in ("mail.send.>", "mail.retry.>"):
        async for stored in broker.scan("SEND", subject):
            for event in stored.events():
                if isinstance(event, ChunkQueued):
                    name = subjects.delivery(event.list, event.mail_id, event.chunk)
                    if name not in seen:
                        seen.add(name)
                        page.append((name, event, stored))
            if len(page) >= AT_ONCE:
                for each in await _unfinished(broker, page):
                    yield each
                page = []
    for each in await _unfinished(broker, page):
        yield each


async def _unfinished(broker: Broker, page: list[tuple[str, ChunkQueued, Stored]]) -> list[Owed]:
    last = await broker.last_many("DELIVERY", [name for name, _, _ in page])
    found = []
    for name, chunk, stored in page:
        at, intent = position(last.get(name))
        if not at.finished:
            since = chunk.since or await _came(broker, chunk) or stored.time
            correlation = codec.decode(stored.data).correlation
            found.append(Owed(chunk, at, min(since, stored.time), correlation, intent))
    return found


def position(last: Stored | None) -> tuple[Position, Intent | None]:
    """Where the ledger's last entry leaves a chunk, and the window that it opened."""
    if last is None:
        return Position(), None
    message = last.envelope()
    entry = message.events[-1] if message.events else None
    if not isinstance(entry, WindowRecorded):
        return Position(finished=True), None
    return ledger.position(entry, last.seq, message.id), entry.intent


async def _came(broker: Broker, chunk: ChunkQueued) -> datetime | None:
    """When the mail was taken, or decided on: a chunk that is made again behind a restore is new,
    what it carries is not."""
    for stream, subject in (
        ("RECEIVED", f"mail.received.*.{chunk.mail_id}"),
        ("ROUTED", subjects.routed("post", chunk.list, chunk.mail_id)),
    ):
        stored = await broker.last(stream, subject)
        if stored is not None and any(
            isinstance(event, MailReceived | PostRouted) for event in stored.events()
        ):
            return stored.time
    return None


async def waiting(broker: Broker) -> list[Waiting]:
    """By list and mail, the oldest first."""
    found: dict[tuple[str, str], Waiting] = {}
    async for each in owed(broker):
        chunk = each.chunk
        row = found.get((chunk.list, chunk.mail_id))
        since = each.since.astimezone(UTC).isoformat(timespec="seconds")
        if row is None:
            post = await broker.last("ROUTED", subjects.routed("post", chunk.list, chunk.mail_id))
            titles = [
                e.subject for e in (post.events() if post else ()) if isinstance(e, PostRouted)
            ]
            row = found[chunk.list, chunk.mail_id] = Waiting(
                list=chunk.copy.list_address,
                mail=chunk.mail_id,
                subject=titles[0] if titles else "",
                since=since,
                letter=chunk.copy.notice,
            )
        row.since = min(row.since, since)
        row.copies += each.copies
        row.doubtful += len(each.at.doubt)
    return sorted(found.values(), key=lambda each: (each.since, each.mail))
