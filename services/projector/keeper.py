"""Keeps one file open and fed, whatever happens to it.

A full disk is waited for. A file that breaks is opened anew; where it breaks again before anything
was stored, or says itself that it is damaged, it is moved aside, and everything is folded into a
new one. Positions are read from the file each time: what DuckDB says of a failed commit leaves open
whether it is stored.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import structlog

from postroad.runtime.apierror import ApiError
from postroad.runtime.broker import Broker
from postroad.runtime.cancelling import heed
from postroad.runtime.clock import now
from postroad.runtime.config import Config
from postroad.runtime.diary import Kept
from postroad.runtime.errors import PostroadError, Retry, WentBack
from postroad.runtime.service import Context
from projections import duckfile, layout
from projections.catalog import projections
from projections.duckfile import CheckpointMoved, StoreBusy
from projections.pruning import Old
from projections.snapshot import FOLDER
from projections.warehouse import NAME, Origin, Warehouse
from projections.watched import Damaged
from schemas import marks
from schemas.questions import Progress
from schemas.subjects import DAY
from services.projector import beside
from services.projector.feed import Feed, by_itself, origins
from services.projector.rebuild import Rebuild
from services.projector.snapshot import Snapshots

PATIENCE = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before the file is tried again
KIND = "analytics"
FOR_EVER = {"MEMBERSHIP", "LISTS", "PEOPLE"}  # streams whose rows are kept
BACK = 100  # messages that are folded again where others took the place of the last
SPANS = 7 * DAY  # how long spans are kept, at most
LOOK_SECONDS = 2.0  # how often it is looked whether the file still lies there

log = structlog.get_logger()


@dataclass(frozen=True)
class Held:
    """The file of the moment, who feeds it, and its copies."""

    warehouse: Warehouse
    feed: Feed
    snapshots: Snapshots


class Keeper:
    """The owner of the file, from start to stop."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.path = context.config.site.state_dir / NAME
        self._held: Held | None = None
        self._why = "it is just starting"
        self._failures = self._broken = 0  # since anything was stored
        self._stands: dict[str, int] = {}  # how far the file was when it was last open
        self._failing = 0.0  # since when, by the loop
        self._doubt = ""
        self._reopen = False
        self._back: dict[str, int] = {}  # where streams that went back are folded on from
        self._again = asyncio.Event()  # streams are to be followed anew
        self.job: Rebuild | None = None  # the last, or the one that runs
        self._names: set[str] = set()  # to be folded anew
        self._wanted = asyncio.Event()
        self.tried = asyncio.Event()  # set once the file is open, or known not to be

    @property
    def held(self) -> Held:
        """Raises Retry where there is no file to ask at the moment."""
        if self._held is None:
            raise Retry(f"the projector cannot use {NAME}: {self._why}")
        return self._held

    async def run(self) -> None:
        """Keep it until cancelled. Raises PostroadError where another process has the file."""
        self.context.broker.reconnected.append(self._again.set)
        try:
            while True:
                heed()
                try:
                    await self._keep()
                except Retry as retry:
                    self._why = retry.reason
                    await asyncio.sleep(retry.delay)
                except WentBack as back:
                    self._back[back.stream] = max(0, back.position - BACK)
                except (duckdb.Error, OSError, CheckpointMoved, Damaged) as error:
                    await self._failed(error)
        finally:
            self.context.broker.reconnected.remove(self._again.set)

    def ill(self, error: Exception) -> str:
        """A question or a copy met this error; what of it is to be told."""
        ailment = duckfile.ailment(error)
        if ailment == "corrupt":
            self._doubt = duckfile.told(error)
        if ailment in ("corrupt", "broken"):
            self._reopen = True
            self._again.set()
        return _ill(error) if ailment == "corrupt" else duckfile.told(error)

    def rebuild(self, names: Iterable[str]) -> Progress:
        """Begin to fold these anew. Raises Retry where there is no file, or a rebuild runs."""
        held = self.held
        if self.job is not None and self.job.progress.state == "running":
            raise Retry(
                "the projector is at another rebuild, which it ends also without its command"
            )
        self.job = Rebuild(self.context.broker, held.warehouse, sorted(names))
        self._wanted.set()
        return self.job.progress

    async def _keep(self) -> None:
        """Open the file and feed it, until it has to be opened anew."""
        context = self.context
        warehouse = await self._open()
        try:
            self._doubt, self._reopen = "", False
            while await self._fits(warehouse) and not self._reopen:
                feed = Feed(context.broker, warehouse, context.health)
                folder = context.config.site.state_dir / FOLDER
                snapshots = Snapshots(warehouse, folder, context.health, self.ill)
                self._held = Held(warehouse, feed, snapshots)
                self.tried.set()
                self._again.clear()
                with by_itself():
                    async with asyncio.TaskGroup() as tasks:
                        work = [
                            tasks.create_task(feed.run()),
                            tasks.create_task(self._follow_up(self._held)),
                            tasks.create_task(self._copy(self._held)),
                            tasks.create_task(self._look(warehouse)),
                            tasks.create_task(self._rebuild(warehouse)),
                            tasks.create_task(self._clean(warehouse)),
                            tasks.create_task(self._prune(self._held)),
                        ]
                        await self._again.wait()
                        for task in work:
                            task.cancel()
                async with warehouse.applying:
                    pass  # what was begun is stored
        finally:
            self._held, self._stands = None, dict(warehouse.checkpoints)
            await warehouse.close()

    async def _fits(self, warehouse: Warehouse) -> bool:
        """Whether the file is still of the streams there are: another broker may have come."""
        streams = await origins(self.context.broker, sorted(warehouse.checkpoints))
        return warehouse.fits(streams)

    async def _follow_up(self, held: Held) -> None:
        """Tell that the file is well once anything was stored in it."""
        while not held.feed.stored:
            await held.feed.next()
        self._failures = self._broken = 0
        await held.feed.catch_up()
        self.context.health.report(KIND, NAME, ok=True)

    async def _copy(self, held: Held) -> None:
        """Keep copies for analysts, from when everything that lay there is folded."""
        await held.feed.catch_up()
        await held.snapshots.keep(self.context.config.analytics.refresh_seconds)

    async def _look(self, warehouse: Warehouse) -> None:
        """Notice that the file is damaged where nothing is folded either."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await warehouse.look()

    async def _clean(self, warehouse: Warehouse) -> None:
        """Write the file anew where it holds what an erasure took out."""
        await warehouse.owes.wait()
        with contextlib.suppress(Retry):  # behind the one that runs, all is followed anew
            self.rebuild(())

    async def _prune(self, held: Held) -> None:
        """Delete rows that are older than they are kept, and what was left beside, once a day."""
        await held.feed.catch_up()
        while True:
            beside.clear(self.context.config.site.state_dir)
            with contextlib.suppress(Retry):
                if gone := await held.warehouse.prune(await self._old(held.warehouse)):
                    log.info("projector.pruned", rows=gone)
            await asyncio.sleep(DAY)

    async def _old(self, warehouse: Warehouse) -> list[Old]:
        """What is older than it is kept, by the clock and by time lived through: the janitor's, who
        counts it."""
        diary = await Kept(self.context.broker).load()
        ages = _ages(self.context.config, {each.stream for each in warehouse.projections})
        return [
            Old(
                [name for name in ages if ages[name] == age],
                ends,
                (now() - timedelta(seconds=age)).replace(tzinfo=None),
            )
            for age in {*ages.values()}
            if (ends := marks.horizon(diary, age)) is not None
        ]

    async def _rebuild(self, warehouse: Warehouse) -> None:
        """Fold anew what another release made, and what is asked for."""
        self._wanted.clear()
        if self.job is not None and self.job.progress.state == "running":  # never begun
            if self.job.warehouse is warehouse:  # asked for as the last one ended
                self._wanted.set()
            else:
                progress = self.job.progress
                progress.state, progress.error = "failed", "the file was opened anew"
        if warehouse.stale and not self._wanted.is_set():
            log.info("projector.rebuilding", names=sorted(warehouse.stale))
            self.rebuild(warehouse.stale)
        await self._wanted.wait()
        assert self.job is not None
        try:
            await self.job.run()
        except Retry as retry:
            log.warning("projector.not_rebuilt", reason=retry.reason)
            return
        progress = self.job.progress
        log.info("projector.rebuilt", names=list(progress.names), events=progress.events)
        self._again.set()

    async def _open(self) -> Warehouse:
        context = self.context
        warehouse = await opened(context.config, context.broker, self._doubt, self._back)
        self._back = {}
        if warehouse.aside is not None:
            _, reason = warehouse.aside
            log.error("projector.moved_aside", file=warehouse.lies_aside, reason=reason)
            context.health.report(KIND, NAME, ok=False, detail=unfit(warehouse), alarm=True)
            context.health.count("moved_aside")
        if warehouse.receded:
            copy = warehouse.copied.name if warehouse.copied is not None else ""
            log.warning("projector.receded", streams=warehouse.receded, copy=copy)
        return warehouse

    async def _failed(self, error: Exception) -> None:
        """Say what is wrong, and wait before it is tried again."""
        if not self._failures:
            self._failing = asyncio.get_running_loop().time()
        self._failures += 1
        ailment = duckfile.ailment(error)
        if ailment == "full":
            self._why = f"there is no room on the disk of {self.path.parent}; make room"
        else:
            self._why = duckfile.told(error)
            self._broken += ailment == "broken"
            if ailment == "corrupt" or self._broken > 1:
                self._doubt, self._why = self._why, _ill(error)
        self.tried.set()
        self.context.health.report(KIND, NAME, ok=False, detail=self._why, alarm=True)
        log.warning("projector.failed", error=type(error).__name__, ailment=ailment or "other")
        with contextlib.suppress(ApiError, PostroadError, Retry):
            await self._tell_how_far()
        if ailment == "corrupt" and self._failures == 1:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE[min(self._failures, len(PATIENCE)) - 1]):
                await self.context.stopping.wait()

    async def _tell_how_far(self) -> None:
        """How much of each stream waits for the file."""
        failing = asyncio.get_running_loop().time() - self._failing
        for name, end in (await origins(self.context.broker, sorted(self._stands))).items():
            position = self._stands[name]
            lag = max(0, end.last - position)
            age = round(failing, 1) if lag else 0.0
            self.context.health.report(
                "stream", name, ok=True, position=position, lag=lag, lag_seconds=age
            )


async def opened(
    config: Config, broker: Broker, doubt: str = "", back: Mapping[str, int] | None = None
) -> Warehouse:
    """The file, fit for today's streams; moved aside where there is reason to `doubt` it, and not
    beyond where streams went `back` to. Raises PostroadError where another process has it."""
    path = config.site.state_dir / NAME
    streams = await origins(broker, sorted(layout.streams(projections())))
    for name, end in (back or {}).items():
        streams[name] = Origin(streams[name].created, min(streams[name].last, end))
    try:
        return await Warehouse.open(
            path,
            projections(),
            streams,
            personal=config.analytics.addresses,
            stamp=now().strftime("%Y%m%dT%H%M%SZ"),
            doubt=doubt,
        )
    except StoreBusy as busy:
        who = f"process {busy.pid}" if busy.pid else "another process"
        raise PostroadError(
            f"{who} has {path} open, and one projector alone may fold into it; stop that one, or "
            "leave this one out"
        ) from busy


def unfit(warehouse: Warehouse) -> str:
    """Why the file that was there could not be gone on with, and where it lies; empty where it
    could."""
    if warehouse.aside is None:
        return ""
    _, reason = warehouse.aside
    lies = f"lies beside as {warehouse.lies_aside}, and " if warehouse.lies_aside else ""
    return f"cannot be gone on with ({reason}); {lies}all that the streams keep is folded anew"


def kept_since(config: Config, streams: Iterable[str]) -> dict[str, datetime]:
    """Since when rows are kept, of those of these streams that are not kept for ever."""
    ages = _ages(config, streams)
    return {name: now() - timedelta(seconds=age) for name, age in ages.items()}


def _ages(config: Config, streams: Iterable[str]) -> dict[str, float]:
    rows = config.analytics.keep_seconds
    return {
        name: min(rows, SPANS) if name == "SPANS" else rows
        for name in streams
        if name not in FOR_EVER
    }


def _ill(error: Exception) -> str:
    return f"{NAME} is damaged ({duckfile.told(error)}); it is moved aside, and all is folded anew"
