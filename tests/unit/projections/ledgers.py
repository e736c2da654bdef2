"""Ledgers as senders write them, made up: windows, crashes, late answers, splits, retries.

What is written is made by the sender's own functions, from chances that a seed decides, and what
really became of everybody is kept beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec

from projections.instants import us
from projections.projection import Message
from schemas import subjects
from schemas.envelope import Envelope, Event
from schemas.mail import RawRef
from schemas.road import ChunkQueued, Copy, Failure, FanoutDone, Outcome, WindowRecorded
from services.sender import ledger, parts

LIST = "team-example-org"
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_RAW = RawRef(mail_id="0", chunks=1, size=1, sha256="", head=0)
_COPY = Copy(raw=_RAW, list=LIST, list_address="team@example.org", bounces=("", ""), post=1)


@dataclass
class Written:
    """One message of a stream, and what is true of the post once it is stored."""

    stream: str
    message: Message
    fates: dict[str, str]  # by person: accepted, deferred, failed or departed


@dataclass
class Story:
    """One post, from its fan-out on: `written` in the order it was stored."""

    chance: Random
    mail: str = "0199d2c64d307000a000000000000001"
    written: list[Written] = field(default_factory=list)
    fates: dict[str, str] = field(default_factory=dict)
    _seqs: dict[str, int] = field(default_factory=dict)
    _round: int = 0
    _missing: int = 0

    def tell(self, people: int, chunk: int = 6) -> Story:
        """A post to so many people, to its end or to where chance leaves it."""
        waiting = list(self._fan_out(people, chunk))
        for queued in waiting:
            self._queue(queued)
        done = FanoutDone(mail_id=self.mail, list=LIST, audience=people, chunks=len(waiting))
        self._store("ROUTED", subjects.routed("done", LIST, self.mail), done)
        for _ in range(self.chance.choice((3, 30, 300))):
            if not waiting and self.chance.random() < 0.7:
                waiting += self._once_more() or self._missed()
            if not waiting:
                break
            at = self.chance.randrange(len(waiting))
            waiting += self._send(waiting.pop(at))
        return self

    def _fan_out(self, people: int, size: int) -> Iterator[ChunkQueued]:
        for number, start in enumerate(range(0, people, size)):
            whom = range(start, min(start + size, people))
            yield ChunkQueued(
                mail_id=self.mail,
                list=LIST,
                chunk=str(number),
                first=start,
                people=tuple(f"p{n:03}" for n in whom),
                addresses=tuple(f"p{n}@{'ab'[n % 2]}.example" for n in whom),
                copy=_COPY,
            )

    def _send(self, chunk: ChunkQueued) -> list[ChunkQueued]:
        """One chunk, to its end; what follows from it."""
        size = len(chunk.people)
        if size > 1 and self._happens(0.2):  # it is for several relays
            self._record(
                chunk,
                WindowRecorded(
                    mail_id=self.mail, list=LIST, chunk=chunk.chunk, finished=True, split=True
                ),
            )
            cut = self.chance.randrange(1, size)
            return self._queued(parts.split(chunk, (range(cut), range(cut, size)), BEGAN))
        return _Sending(self, chunk).run()

    def _once_more(self) -> list[ChunkQueued]:
        """Somebody has failed copies sent once more."""
        failed = sorted(person for person, fate in self.fates.items() if fate == "failed")
        if not failed:
            return []
        self._round += 1
        half = -(-len(failed) // 2)
        return self._queued(
            ChunkQueued(
                mail_id=self.mail,
                list=LIST,
                chunk=f"f{self._round}-{number}",
                people=tuple(failed[start : start + half]),
                addresses=tuple(f"{who}@c.example" for who in failed[start : start + half]),
                copy=_COPY,
            )
            for number, start in enumerate(range(0, len(failed), half))
        )

    def _missed(self) -> list[ChunkQueued]:
        """A replay finds people whom the fan-out left out."""
        if self._missing == 2 or self._happens(0.5):
            return []
        number, self._missing = self._missing, self._missing + 1
        people = tuple(f"m{number}{n}" for n in range(self.chance.randrange(1, 4)))
        return self._queued(
            [
                ChunkQueued(
                    mail_id=self.mail,
                    list=LIST,
                    chunk=f"m{number}",
                    people=people,
                    addresses=tuple(f"{who}@d.example" for who in people),
                    copy=_COPY,
                )
            ]
        )

    def _queued(self, chunks: Sequence[ChunkQueued] | Iterator[ChunkQueued]) -> list[ChunkQueued]:
        made = list(chunks)
        for chunk in made:
            for _ in range(2 if self._happens(0.1) else 1):  # one that waited is stored again
                self._queue(chunk)
        return made

    def _queue(self, chunk: ChunkQueued) -> None:
        for person in chunk.people:
            if self.fates.get(person) == "failed":
                self.fates[person] = "deferred"
        self._store("SEND", subjects.send("bulk", LIST, self.mail, chunk.chunk), chunk)

    def _record(self, chunk: ChunkQueued, entry: WindowRecorded) -> None:
        self._store("DELIVERY", subjects.delivery(LIST, self.mail, chunk.chunk), entry)

    def _store(self, stream: str, subject: str, event: Event) -> None:
        seq = self._seqs[stream] = self._seqs.get(stream, 0) + 1
        time = BEGAN + timedelta(seconds=len(self.written))
        body = Envelope(id=f"{seq:032x}", ts=time, correlation=self.mail, events=(event,))
        message = Message(subject, seq, us(time), body)
        self.written.append(Written(stream, message, dict(self.fates)))

    def _happens(self, often: float) -> bool:
        return self.chance.random() < often


class _Sending:
    """A chunk in the hands of one sender after another."""

    def __init__(self, story: Story, chunk: ChunkQueued) -> None:
        self.story = story
        self.chunk = chunk
        self.size = len(chunk.people)
        self.done = 0
        self.deferred: list[int] = []
        self.apart: set[int] = set()  # deferred for their domain
        self.awaited: set[int] = set()  # of these, whose answer may come yet
        self.doubt: set[int] = set()
        self.sent: set[int] = set()
        self.outcome: Outcome | None = None
        self.single = False

    def run(self) -> list[ChunkQueued]:
        """To the end; what follows from it."""
        happens = self.story._happens
        self.single = self.size <= 2 and happens(0.5)
        while self.done < self.size:
            end = min(self.done + self.story.chance.randrange(1, 5), self.size)
            self.single &= end == self.size
            if not self.single:
                self._write(end)
                if happens(0.2):
                    self._die(end)
                    continue
            self._window(end)
            if self.done < self.size and happens(0.6):  # told at once: the next has no outcome
                self._write(self.done)
        self._write(self.size)
        while self.awaited:
            self.outcome = Outcome(start=self.done, end=self.done, code=0)
            self._write(self.size)
        return self._owed()

    def _die(self, end: int) -> None:
        """Kill -9: of the window, some had gone out, and the journal may tell."""
        self.awaited.clear()
        window = set(range(self.done, end)) - self.sent
        if self.story._happens(0.5):
            self.sent |= set(self.story.chance.sample(sorted(window), len(window) // 2))
        self.doubt |= window - self.sent

    def _window(self, end: int) -> None:
        """Somebody refuses, somebody has left, somebody's answer is late, the relay hangs up."""
        chance, failures, doubtful = self.story.chance, [], []
        if end - self.done > 1 and not self.single and self.story._happens(0.1):
            lost = range(end := chance.randrange(self.done + 1, end), end + 1)
            self.doubt |= set(lost)
        for index in range(self.done, end):
            kind = "sent" if index in self.sent else chance.choice(_KINDS)
            if kind == "late":
                self.awaited.add(index)
                doubtful.append(index)
            elif index in self.doubt and kind in ("accepted", "deferred", "apart"):
                doubtful.append(index)
            if (failure := _failure(index, kind)) is not None:
                failures.append(failure)
                if failure.kind == "deferred":
                    self.deferred.append(index)
                if failure.scope == "destination":
                    self.apart.add(index)
        self.outcome = Outcome(
            start=self.done,
            end=end,
            code=250,
            text=f"2.0.0 queued as {chance.randrange(99)}",
            failures=tuple(failures),
            possible_duplicate=bool(doubtful),
            doubtful=tuple(doubtful),
        )
        self.done = end

    def _write(self, end: int) -> None:
        """The outcome of the last window and the intent of the next."""
        over = {index for index in self.awaited if self.story._happens(0.5)}
        taken = sorted(index for index in over if self.story._happens(0.5))
        answered = {index for index in over if index in taken or self.story._happens(0.5)}
        cleared = sorted(answered - self.doubt)
        self.deferred = [index for index in self.deferred if index not in taken]
        doubt = {index for index in self.doubt if index >= self.done}
        people = self.chunk.people
        entry = ledger.entry(
            self.chunk,
            at=self.done,
            outcome=self.outcome,
            named=not self.single,
            next_end=end,
            may_have=doubt | (set(range(self.done, end)) - self.sent),
            sent=self.sent,
            deferred=self.deferred,
            relay="out",
            worker="service:sender/1",
            late=[people[index] for index in taken],
            cleared=[people[index] for index in cleared],
            awaited=len(self.awaited) > len(over),
        )
        self._learn(taken)
        self.story._record(self.chunk, entry)
        self.outcome, self.single = None, False
        self.awaited -= over

    def _learn(self, taken: Sequence[int]) -> None:
        fates, people = self.story.fates, self.chunk.people
        if self.outcome is not None:
            told = {failure.index: failure.kind for failure in self.outcome.failures}
            for index in range(self.outcome.start, self.outcome.end):
                kind = told.get(index, "accepted")
                fates[people[index]] = "departed" if kind == "left" else kind
        for index in taken:
            fates[people[index]] = "accepted"

    def _owed(self) -> list[ChunkQueued]:
        """Whose domain has to wait in chunks of their own, the others in one."""
        story, made = self.story, []
        waits = sorted(self.apart & set(self.deferred))
        rest = self.deferred
        if waits and story._happens(0.7):
            made += parts.split(self.chunk, [waits], BEGAN)
            rest = [index for index in rest if index not in waits]
        if rest:
            made.append(parts.retry(self.chunk, rest, BEGAN))
        return story._queued(made)


_KINDS = (*["accepted"] * 5, "deferred", "apart", *["late"] * 2, "failed", "left")


def _failure(index: int, kind: str) -> Failure | None:
    match kind:
        case "deferred":
            return Failure(index=index, code=450, enhanced="4.2.2", text="full", kind="deferred")
        case "apart" | "late":
            text = "its domain has not answered yet"
            return Failure(index=index, code=0, text=text, kind="deferred", scope="destination")
        case "failed":
            return Failure(index=index, code=550, enhanced="5.1.1", text="nobody", kind="failed")
        case "left":
            return Failure(index=index, code=0, text="left the list", kind="left")
    return None


def interleaved(chance: Random, stories: Sequence[Story]) -> list[Written]:
    """What happened in all of these stories, each in its order, numbered anew."""
    left = [iter(story.written) for story in stories]
    turns = [number for number, story in enumerate(stories) for _ in story.written]
    chance.shuffle(turns)
    seqs: dict[str, int] = {}
    made = []
    for number in turns:
        each = next(left[number])
        seq = seqs[each.stream] = seqs.get(each.stream, 0) + 1
        message = msgspec.structs.replace(each.message, seq=seq)
        made.append(Written(each.stream, message, each.fates))
    return made
