"""Copies that are not sent any more: their ledgers say that they failed, and why. So `explain` and
`post show` tell it, and `postroad retry ID --failed` sends them after all."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from postroad.cli.restoring.outstanding import owed
from postroad.mail.refusals import RESTORED
from postroad.runtime.clock import envelope
from postroad.runtime.errors import Conflict, PostroadError
from schemas import codec, subjects
from schemas.road import ChunkQueued, Failure, Intent, Outcome, WindowRecorded
from services.sender import parts
from services.sender.ledger import Position

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker

ACTOR = "operator:restore"


async def skip(broker: Broker, before: datetime) -> tuple[int, int]:
    """Close what was queued before that time: how many copies, of how many chunks. Raises
    PostroadError where somebody sends meanwhile."""
    copies = chunks = 0
    text = f"not sent: restored from a backup, and queued before {before:%Y-%m-%d %H:%M} UTC"
    async for each in owed(broker):
        if each.since >= before:
            continue
        entries = closed(each.chunk, each.at, each.intent, text)
        if each.at.deferred:  # else the sender would schedule them once more
            smaller = parts.retry(each.chunk, each.at.deferred, each.since)
            entries += closed(smaller, Position(), None, text)
            copies += len(each.at.deferred)
        expect = each.at.seq
        for entry in entries:
            subject = subjects.delivery(entry.list, entry.mail_id, entry.chunk)
            message = codec.encode(envelope([entry], correlation=each.correlation, actor=ACTOR))
            try:
                seq = await broker.publish(
                    subject, message, expect=expect if entry.chunk == each.chunk.chunk else 0
                )
            except Conflict:
                raise PostroadError(
                    "a sender is at work: only what is paused behind a restore can be skipped"
                ) from None
            expect = seq
        copies += each.copies
        chunks += 1
    return copies, chunks


def closed(
    chunk: ChunkQueued, at: Position, intent: Intent | None, text: str
) -> list[WindowRecorded]:
    """The last entries of a chunk: whoever has no copy is told to have none. A window that was open
    ends where it was to end, as its intent names its people."""
    size = len(chunk.people)

    def entry(start: int, end: int, opened: Intent | None, *, named: bool) -> WindowRecorded:
        failures = tuple(
            Failure(
                index=index, code=0, enhanced=RESTORED, text=text, kind="failed", scope="message"
            )  # which nobody's bounces count
            for index in range(start, end)
            if index not in at.sent
        )
        return WindowRecorded(
            mail_id=chunk.mail_id,
            list=chunk.list,
            chunk=chunk.chunk,
            outcome=Outcome(start=start, end=end, code=0, failures=failures),
            intent=opened,
            people=() if named else chunk.people[start:end],
            relay="restore",
            worker=ACTOR,
            deferred=at.deferred,
            finished=opened is None,
        )

    if intent is None:
        return [entry(at.done, size, None, named=False)]
    if intent.end >= size:
        return [entry(at.done, size, None, named=True)]
    rest = Intent(start=intent.end, end=size, people=chunk.people[intent.end :])
    return [
        entry(at.done, intent.end, rest, named=True),
        entry(intent.end, size, None, named=True),
    ]
