"""The copies that analysts open, made anew every few minutes where anything was folded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import duckdb
import msgspec
import structlog

from postroad.runtime.cancelling import heed
from postroad.runtime.children import die_with_parent
from postroad.runtime.clock import now
from postroad.runtime.errors import Retry
from postroad.runtime.health import Health
from projections.duckfile import ailment
from projections.snapshot import NAME, Job, Taken
from projections.warehouse import Warehouse
from projections.watched import Damaged

KIND, FACT = "analytics", "the copies for analysts"  # in status

log = structlog.get_logger()


class Snapshots:
    """The copies of one file, in one folder. `as_of`: when the last was made; None for none yet.
    Who is `ill` hears of damage that is met, and says what is done."""

    def __init__(
        self,
        warehouse: Warehouse,
        folder: Path,
        health: Health,
        ill: Callable[[Exception], str] = str,
    ) -> None:
        self.warehouse = warehouse
        self.folder = folder
        self.health = health
        self.ill = ill
        self.as_of: datetime | None = None
        self._positions: Mapping[str, int] = {}
        self._one = asyncio.Lock()

    @property
    def told(self) -> str:
        """When the last was made (RFC 3339); empty for none."""
        return self.as_of.isoformat(timespec="seconds") if self.as_of else ""

    async def keep(self, every: float) -> None:
        """Refresh now and every so many seconds, for ever; a failure is told, and tried again."""
        while True:
            with contextlib.suppress(Retry):
                await self.refresh()
            heed()
            await asyncio.sleep(every)

    async def refresh(self) -> Taken:
        """Make the copies anew, unless nothing was folded since. Raises Retry where that fails; the
        old ones stay."""
        async with self._one:
            if self.warehouse.checkpoints == self._positions and (self.folder / NAME).exists():
                return Taken()
            try:
                taken, as_of, positions = await self._made()
                if taken.damaged:  # in what was copied, or in the copy alone
                    taken, as_of, positions = await self._made()
                if taken.damaged:
                    raise Damaged(taken.error)
            except (Damaged, duckdb.Error) as error:
                if not ailment(error) or ailment(error) == "full":
                    raise
                raise Retry(self.ill(error)) from error
            if taken.error:
                self.health.report(KIND, FACT, ok=False, detail=taken.error)
                raise Retry(f"{FACT} cannot be made: {taken.error}")
            self.as_of, self._positions = as_of, positions
            self.health.count("snapshots")
            self.health.report(
                KIND,
                FACT,
                ok=True,
                as_of=self.told,
                seconds=round(taken.seconds, 2),
                mb=taken.octets >> 20,
            )
            log.debug("snapshot.taken", octets=taken.octets, files=taken.files)
            return taken

    async def _made(self) -> tuple[Taken, datetime, Mapping[str, int]]:
        async with self.warehouse.still() as positions:
            as_of = now()
            return await self._take(as_of), as_of, positions

    async def _take(self, as_of: datetime) -> Taken:
        job = Job(
            live=str(self.warehouse.path),
            folder=str(self.folder),
            as_of=as_of,
            # nobody who was erased may lie on in room that is only marked as free
            clean=self.warehouse.personal,
        )
        try:
            program = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "projections.snapshot"),
                msgspec.json.encode(job),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=DEVNULL,
                env={name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
                preexec_fn=die_with_parent,
            )
        except OSError as error:
            return Taken(error=f"it cannot be begun ({error.strerror})")
        try:
            answer, _ = await program.communicate()
        finally:
            if program.returncode is None:  # we are told to stop
                program.kill()
                await program.wait()
        try:
            return msgspec.json.decode(answer, type=Taken)
        except msgspec.MsgspecError:
            return Taken(error=f"it ended with {program.returncode} and did not say why")
