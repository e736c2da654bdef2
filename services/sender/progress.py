"""How far a chunk is: its ledger, and the journal beside it, as its windows come and go."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict, Reject, Superseded
from postroad.runtime.telemetry import PARENT
from schemas import codec
from schemas.road import ChunkQueued, Outcome, WindowRecorded
from services.sender import ledger
from services.sender.journal import BEFORE, NOTHING, Journal, Lines, entry_name
from services.sender.late import Late
from services.sender.ledger import Position
from services.sender.outcomes import Window
from services.sender.transaction import Record
from services.sender.window import Plan

WORKER = f"service:sender/{os.getpid()}"


@dataclass(frozen=True)
class Chunk:
    """A chunk in hand: its event, the id and time of its envelope, its ledger's subject.
    `tried`: somebody may have been at it of whom its ledger does not know; `elsewhere`: somebody
    who is not we."""

    event: ChunkQueued
    id: str
    queued: datetime
    ledger: str
    tried: bool = False
    elsewhere: bool = False

    @property
    def post(self) -> str:
        """The name of its post, the same in all its chunks."""
        return f"{self.event.list}.{self.event.mail_id}.{self.event.copy.post}"


async def position(broker: Broker, subject: str) -> Position:
    """Where the ledger with this subject leaves its chunk. Raises Reject, BrokerUnavailable."""
    last = await broker.last("DELIVERY", subject)
    if last is None:
        return Position()
    entry = last.envelope().events[-1]
    if not isinstance(entry, WindowRecorded):
        raise Reject("not a ledger")
    return ledger.position(entry, last.seq, last.envelope().id)


class Progress:
    """Where a chunk in hand stands, from `at` on. Recipients below `done` have an outcome; of
    those from there on `sent` have their copy, and those in `doubt` may have one. `relay` and
    `destination` name the way of the windows that are recorded next."""

    def __init__(self, broker: Broker, journal: Journal, chunk: Chunk, at: Position) -> None:
        self.chunk = chunk
        self.size = len(chunk.event.people)
        self.done = at.done
        self.doubt = at.doubt
        self.sent = at.sent
        self.deferred = list(at.deferred)
        self.late = Late()
        self.relay = self.destination = ""
        self.single = False  # all of it is one window, which needs no intent
        self.window = ""  # the span of the last one, as `traceparent`
        self._broker = broker
        self._journal = journal
        self._outcome: Outcome | None = None  # of the last window, not yet recorded
        self._lines: Lines | None = None  # of the journal
        self._seq = at.seq
        self._entry = at.id  # of the ledger, the last
        self._finished = at.finished
        self._recalled = False  # from the journal of somebody else

    @property
    def began(self) -> bool:
        """Whether the ledger knows of it."""
        return self._seq > 0

    @property
    def noted(self) -> bool:
        """Whether its windows stand in the journal."""
        return self._lines is not None

    @property
    def pending(self) -> bool:
        """Whether the ledger does not know of the last window yet."""
        return self._outcome is not None

    @property
    def unknown(self) -> bool:
        """Whether somebody else may have sent of it, and nothing tells what."""
        blind = not self._recalled and self._journal.blind(self.chunk.queued)
        return blind and self.chunk.elsewhere

    def recall(self) -> None:
        """Learn what became of a window that was cut short, from whoever was at it."""
        look = bool(self.doubt) or self.chunk.tried
        page = self._journal.recall(self._name(self._entry), look=look)
        self._recalled = page is not None
        if page is not None:
            self.doubt, self.sent = page.doubt, self.sent.union(page.sent)

    def write_to(self, lines: Lines | None) -> None:
        """The pages of the journal for the windows that follow."""
        self._lines = lines

    def begin(self, end: int) -> None:
        """Tell the journal of a window of which the ledger does not know."""
        self._begin(self._entry, end)

    def recorder(self, offered: Sequence[int]) -> Record | None:
        """What takes down for the recipients of a transaction, by index."""
        return None if self._lines is None else self._lines.recorder(offered)

    def went(self, window: Window) -> None:
        """A window ended; `record` tells the ledger."""
        self._outcome = outcome = window.outcome
        self.deferred.extend(f.index for f in outcome.failures if f.kind == "deferred")
        self.done = outcome.end
        self.doubt |= window.lost

    async def record(self, planned: Plan | None = None) -> None:
        """Write the next ledger entry, with the intent of the window that is `planned`, and wait
        until it is on disk. Raises Superseded where another worker wrote first."""
        event, outcome = self.chunk.event, self._outcome
        over = self.late.over()
        taken = [copy.index for copy in over if copy.taken]
        deferred = [index for index in self.deferred if index not in taken]
        doubt = {index for index in self.doubt if index >= self.done}
        entry = ledger.entry(
            event,
            at=self.done,
            outcome=outcome,
            named=not self.single,
            next_end=planned.end if planned else self.done,
            may_have=doubt.union(planned.offered) if planned else doubt,
            sent=self.sent,
            deferred=deferred,
            late=[event.people[index] for index in taken],
            cleared=[event.people[copy.index] for copy in over if copy.cleared],
            relay=self.relay,
            worker=WORKER,
            destination=self.destination,
            awaited=len(self.late) > len(over),
        )
        message = envelope(
            [entry],
            correlation=event.mail_id,
            causation=self.chunk.id,
            actor=WORKER,
        )
        if entry.intent is not None:
            self._begin(message.id, entry.intent.end)
        crashpoint("sender.before_record")
        try:
            self._seq = await self._broker.publish(
                self.chunk.ledger,
                codec.encode(message),
                expect=self._seq,
                headers={PARENT: self.window} if outcome and self.window else None,
            )
        except Conflict:
            raise Superseded(self.chunk.ledger) from None
        crashpoint("sender.after_record")
        if self._recalled:
            self._journal.forget(self._name(self._entry))
            self._recalled = False
        self._entry, self._finished = message.id, entry.finished
        self._outcome, self.single, self.deferred, self.window = None, False, deferred, ""
        self.late.forget(over)

    async def settle(self) -> None:
        """Wait for the answers that are late, and record what they say. Raises Superseded."""
        while self.late or (self.done >= self.size and not self._finished):
            await self.late.answered()
            await self._told()

    async def listen(self, seconds: float) -> None:
        """Wait so long for answers that are late, and record what they say. Raises Superseded."""
        await self.late.answered(seconds)
        if self.late.over():
            await self._told()

    async def _told(self) -> None:
        """Record what is known, though it be of no window."""
        if not self.pending:
            self._outcome = Outcome(start=self.done, end=self.done, code=0)
        await self.record()

    def _begin(self, entry: str, end: int) -> None:
        """Tell the journal of a window that begins with this ledger entry."""
        if self._lines is not None:
            codes = [
                (250 if index in self.sent else NOTHING) | (BEFORE if index in self.doubt else 0)
                for index in range(self.done, end)
            ]
            self._lines.begin(self._name(entry), self.done, codes)

    def _name(self, entry: str) -> str:
        return entry_name(self.chunk.ledger, self.chunk.id, entry)
