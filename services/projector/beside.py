"""A file in which everything is folded anew, to be compared with the one in use, and taken away.

It lies in a folder of its own. Whoever is killed leaves that: the next who compares removes it, and
so does the projector.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from projections import sums
from projections.duckfile import Lock, StoreBusy
from projections.projection import Folded, Projection
from projections.warehouse import NAME, Batch, Origin, Warehouse
from schemas.questions import Span

FOLDER = "analytics.verify"
_MOST = 10_000_000  # rows of an answer
_LONG = 3600.0  # seconds that one may take


class Beside:
    """The file, while it is there."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse

    async def store(self, stream: str, upto: int, folded: Mapping[str, Sequence[Folded]]) -> int:
        """Store what a stream became, up to a sequence; returns how many rows."""
        after = self.warehouse.checkpoints[stream]
        return await self.warehouse.apply(
            [Batch(stream=stream, after=after, upto=upto, folded=folded)]
        )

    async def seen(self, stream: str, kept: Sequence[tuple[int, int]], cut: Sequence[int]) -> None:
        """What a stream has is not stored."""

    async def ask(self, span: Span) -> list[Sequence[Any]]:
        """The sums of some rows."""
        table = self.warehouse.table(span.table)
        return await self.rows(*sums.statement(table, span))

    async def rows(self, sql: str, parameters: Mapping[str, Any]) -> list[Sequence[Any]]:
        """Rows of a query."""
        found = await self.warehouse.read(sql, parameters, _MOST, _LONG)
        return list(found.rows)


@contextlib.asynccontextmanager
async def beside(
    state: Path, projections: Sequence[Projection], streams: Mapping[str, Origin], *, personal: bool
) -> AsyncIterator[Beside]:
    """An empty file for the length of the block. Raises StoreBusy where there is one already."""
    folder = state / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = Lock(folder)
    try:
        await asyncio.to_thread(_clear, folder)
        folder.mkdir(mode=0o700)
        warehouse = await Warehouse.open(folder / NAME, projections, streams, personal=personal)
        try:
            yield Beside(warehouse)
        finally:
            await warehouse.close()
    finally:
        _give_back(folder, lock)


def clear(state: Path) -> None:
    """Remove what a killed one left, where none is at it."""
    folder = state / FOLDER
    if folder.exists():
        with contextlib.suppress(StoreBusy):
            _give_back(folder, Lock(folder))


def _give_back(folder: Path, lock: Lock) -> None:
    _clear(folder)
    Path(f"{folder}.lock").unlink(missing_ok=True)
    lock.close()


def _clear(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
