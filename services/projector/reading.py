"""Reads a stream from its beginning, and folds it into a file beside the one in use."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Protocol

from postroad.runtime.broker import Broker
from postroad.runtime.stored import Stored
from projections.folding import Folder, Outcome, together
from projections.projection import Folded
from schemas.questions import Progress

BATCH = 20_000  # messages that are stored at once
OCTETS = 2 << 20  # of them, likewise: their rows take ten times as much
AHEAD = 2  # such batches wait meanwhile: some take longer, with which a row group is full
IDLE_SECONDS = 5.0  # without anything that comes, before it is asked whether anything will


class Into(Protocol):
    """Where what is folded goes."""

    async def store(self, stream: str, upto: int, folded: Mapping[str, Sequence[Folded]]) -> int:
        """Store what the stream became, up to a sequence; returns how many rows."""

    async def seen(self, stream: str, kept: Sequence[tuple[int, int]], cut: Sequence[int]) -> None:
        """The stream has these ranges of sequences, and no messages any more that `cut` rest on."""


class Reader:
    """One stream, from its beginning to wherever the file in use stands. `progress` is told how far
    it is, `looked` of every batch."""

    def __init__(
        self,
        broker: Broker,
        into: Into,
        progress: Progress,
        stream: str,
        folder: Folder,
        looked: Callable[[Sequence[Stored]], None] = lambda _: None,
    ) -> None:
        self.broker = broker
        self.into = into
        self.progress = progress
        self.stream = stream
        self.folder = folder
        self.position = 0
        self.unknown = 0  # messages that this release does not know
        self.garbage = 0  # those of them that no release does
        self.kept: list[tuple[int, int]] = []  # ranges of sequences that the stream has
        self._looked = looked
        self._follows = any(each.carries for each in folder.projections)
        self._begun: set[int] = set()  # subjects, hashed
        self._cut: set[int] = set()

    async def count(self) -> None:
        """Add what there is to read to the total."""
        info = await self.broker.api(f"STREAM.INFO.{self.stream}")
        self.progress.total += info["state"]["messages"]

    async def read(self, upto: int) -> None:
        """Fold everything up to a sequence that is there, or was."""
        last = await self.broker.last(self.stream, self.folder.subjects)
        end = min(upto, last.seq if last else 0)
        if self.position >= end:
            return
        async with aclosing(self._batches()) as batches:
            await self._take(batches, end)
        self.position = end

    async def _take(self, batches: AsyncIterator[Sequence[Stored]], end: int) -> None:
        """Fold what comes, and store what was folded before meanwhile. Folded at once, for what is
        decoded lies in the processor's cache then."""
        waiting: list[Outcome] = []
        count = octets = 0
        storing: deque[asyncio.Task[None]] = deque()
        try:
            async for batch in batches:
                over = batch[-1].seq >= end
                taken = [stored for stored in batch if stored.seq <= end] if over else batch
                if taken:  # the last one may just have been deleted
                    waiting.append(self._fold(taken))
                count += len(taken)
                octets += sum([len(stored.data) for stored in taken])
                if count >= BATCH or octets >= OCTETS or over:
                    upto = min(batch[-1].seq, end)
                    if len(storing) == AHEAD:
                        await storing.popleft()
                    self._store_behind(storing, waiting, count, upto)
                    waiting, count, octets = [], 0, 0
                if over:
                    return
            self._store_behind(storing, waiting, count, end)
        finally:
            if storing:
                await storing[-1]

    async def _batches(self) -> AsyncGenerator[Sequence[Stored], None]:
        """What lies behind the position, and comes; ends where nothing comes and nothing lies there
        any more: what was last may be deleted meanwhile."""
        seen = self.position
        follow = self.broker.follow(self.stream, self.folder.subjects, seen + 1)
        async with aclosing(follow) as batches:  # type: ignore[type-var]
            coming = asyncio.ensure_future(anext(batches))
            try:
                while True:
                    await asyncio.wait({coming}, timeout=IDLE_SECONDS)
                    if coming.done():
                        batch = coming.result()
                        coming = asyncio.ensure_future(anext(batches))
                        seen = batch[-1].seq
                        yield batch
                        continue
                    last = await self.broker.last(self.stream, self.folder.subjects)
                    if last is None or last.seq <= seen:
                        return
            finally:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)

    async def told(self) -> None:
        """Tell the new file what the stream has no more."""
        await self.into.seen(self.stream, self.kept, self.cut)

    @property
    def cut(self) -> list[int]:
        """What rests on messages that the stream has no more, in order."""
        return sorted(self._cut)

    def _fold(self, taken: Sequence[Stored]) -> Outcome:
        self._looked(taken)
        first, last = taken[0].seq, taken[-1].seq
        if last - first == len(taken) - 1:
            self._keep(first, last)
        else:
            for stored in taken:
                self._keep(stored.seq, stored.seq)
        if self._follows:
            for stored in taken:
                subject = hash(stored.subject)
                if stored.first:
                    self._begun.add(subject)
                elif subject not in self._begun:
                    self._cut.add(stored.seq)
        decoded = self.folder.decode(taken)
        self.unknown += decoded.unknown
        self.garbage += decoded.garbage
        outcome = self.folder.fold([decoded])
        self.folder.moved(outcome)  # what fails is begun again as a whole
        self.progress.failed += len(outcome.failed)
        return outcome

    def _keep(self, first: int, last: int) -> None:
        if self.kept and self.kept[-1][1] + 1 == first:
            first, _ = self.kept.pop()
        self.kept.append((first, last))

    def _store_behind(
        self,
        storing: deque[asyncio.Task[None]],
        waiting: Sequence[Outcome],
        count: int,
        upto: int,
    ) -> None:
        before = storing[-1] if storing else None
        storing.append(asyncio.create_task(self._store(before, waiting, count, upto)))

    async def _store(
        self,
        before: asyncio.Task[None] | None,
        waiting: Sequence[Outcome],
        count: int,
        upto: int,
    ) -> None:
        if before is not None:
            await before  # in order, and nothing behind what failed
        names = dict.fromkeys(name for outcome in waiting for name in outcome.folded)
        folded = {
            name: together([one for outcome in waiting for one in outcome.folded.get(name, ())])
            for name in names
        }
        self.progress.rows += await self.into.store(self.stream, upto, folded)
        self.progress.events += count
