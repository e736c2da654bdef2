"""Folds projections anew: into a new file, while the one in use goes on, which it then replaces."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

from postroad.runtime.broker import Broker
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.stored import Stored
from projections import layout
from projections.folding import Decoded, Folder
from projections.projection import Carry
from projections.rebuilt import Rebuilt
from projections.warehouse import Warehouse
from schemas.questions import Progress
from services.projector.feed import BATCH, OCTETS


class Rebuild:
    """One rebuild of some projections of a warehouse."""

    def __init__(self, broker: Broker, warehouse: Warehouse, names: Sequence[str]) -> None:
        self.broker = broker
        self.warehouse = warehouse
        # those that are stale have no rows in the file that could be copied
        self.progress = Progress(names=tuple(sorted({*names, *warehouse.stale})))
        self._began = time.monotonic()

    async def run(self) -> None:
        """Fold, and put the new file into the place of the old. The caller folds on from where that
        stands. Raises duckdb.Error, Retry."""
        rebuilt = Rebuilt(self.warehouse, self.progress.names)
        try:
            await self._fold(rebuilt)
        except BaseException as error:
            self.progress.state, self.progress.error = "failed", " ".join(str(error).split())[:200]
            with contextlib.suppress(Exception):
                await asyncio.shield(rebuilt.abandon())
            raise
        self.progress.state = "done"

    def tick(self) -> None:
        """Some time has passed."""
        self.progress.seconds = round(time.monotonic() - self._began, 2)

    async def _fold(self, rebuilt: Rebuilt) -> None:
        await rebuilt.begin()
        readers = [
            _Reader(self, rebuilt, stream, Folder(some, {}))
            for stream, some in layout.streams(rebuilt.anew).items()
        ]
        for reader in readers:
            await reader.count()
        for reader in readers:
            await reader.read(self.warehouse.checkpoints[reader.stream])
        crashpoint("rebuild.read")
        async with self.warehouse.applying:
            carries: dict[str, Carry] = {}
            for reader in readers:
                await reader.read(self.warehouse.checkpoints[reader.stream])
                await reader.told()
                carries |= reader.folder.carries
            crashpoint("rebuild.finishing")
            await rebuilt.finish(carries)
        self.tick()


class _Reader:
    """One stream, from its beginning to wherever the old file stands."""

    def __init__(self, rebuild: Rebuild, rebuilt: Rebuilt, stream: str, folder: Folder) -> None:
        self.rebuild = rebuild
        self.rebuilt = rebuilt
        self.stream = stream
        self.folder = folder
        self.position = 0
        self._kept: list[tuple[int, int]] = []
        self._follows = any(each.carries for each in folder.projections)
        self._begun: set[int] = set()  # subjects, hashed
        self._cut: set[int] = set()

    async def count(self) -> None:
        """Add what there is to read to the total."""
        info = await self.rebuild.broker.api(f"STREAM.INFO.{self.stream}")
        self.rebuild.progress.total += info["state"]["messages"]

    async def read(self, upto: int) -> None:
        """Fold everything up to a sequence that is there, or was."""
        last = await self.rebuild.broker.last(self.stream, self.folder.subjects)
        end = min(upto, last.seq if last else 0)
        if self.position >= end:
            return
        waiting: list[Decoded] = []
        count = octets = 0
        storing: asyncio.Task[None] | None = None
        try:
            async for batch in self.rebuild.broker.follow(
                self.stream, self.folder.subjects, self.position + 1
            ):
                over = batch[-1].seq >= end
                taken = [stored for stored in batch if stored.seq <= end] if over else batch
                waiting.append(self._decode(taken))
                count += len(taken)
                octets += sum([len(stored.data) for stored in taken])
                if count >= BATCH or octets >= OCTETS or over:
                    if storing is not None:
                        await storing
                    storing = asyncio.create_task(self._store(waiting, count))
                    waiting, count, octets = [], 0, 0
                if over:
                    break
        finally:
            if storing is not None:
                await storing
        self.position = end

    async def told(self) -> None:
        """Tell the new file what the stream has no more."""
        await self.rebuilt.seen(self.stream, self._kept, sorted(self._cut))

    def _decode(self, taken: Sequence[Stored]) -> Decoded:
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
        return self.folder.decode(taken)

    def _keep(self, first: int, last: int) -> None:
        if self._kept and self._kept[-1][1] + 1 == first:
            first, _ = self._kept.pop()
        self._kept.append((first, last))

    async def _store(self, waiting: Sequence[Decoded], count: int) -> None:
        outcome = await asyncio.to_thread(self.folder.fold, waiting)
        progress = self.rebuild.progress
        progress.rows += await self.rebuilt.store(outcome.folded)
        self.folder.moved(outcome)
        progress.failed += len(outcome.failed)
        progress.events += count
        self.rebuild.tick()
