"""Folds projections anew: into a new file, while the one in use goes on, which it then replaces.

Where no projector runs, nobody folds on from where that stands: `alone` does both.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

from postroad.runtime.broker import Broker
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.health import Health
from projections import duckfile, layout
from projections.folding import Folder
from projections.projection import Carry
from projections.rebuilt import Rebuilt
from projections.warehouse import Warehouse
from schemas.questions import Progress
from services.projector.feed import Feed, by_itself, origins
from services.projector.reading import Reader


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
            self.progress.state, self.progress.error = "failed", duckfile.told(error)
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
            Reader(self.broker, rebuilt, self.progress, stream, Folder(some, {}))
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


async def alone(job: Rebuild) -> None:
    """Run it where no projector does, and fold all streams on to the ends that they have then; of a
    file that was just begun that is everything. Raises duckdb.Error, Damaged, OSError, Retry,
    WentBack."""
    await job.run()
    progress = job.progress
    progress.state = "running"
    positions = job.warehouse.checkpoints
    ends = await origins(job.broker, sorted(positions))
    behind = sum(max(0, end.last - positions[stream]) for stream, end in ends.items())
    progress.total = progress.events + behind
    feed = Feed(job.broker, job.warehouse, Health("rebuild"), progress)
    with by_itself():
        async with asyncio.TaskGroup() as tasks:
            folding = tasks.create_task(feed.run())
            await feed.catch_up()
            folding.cancel()
    progress.state = "done"
    job.tick()
