"""Janitor's I/O: a mark now and then, and a look through the streams after each."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time

import structlog

from postroad.runtime import instruments
from postroad.runtime.clock import now
from postroad.runtime.diary import Kept
from postroad.runtime.errors import PostroadError, Retry
from postroad.runtime.projector import asking
from postroad.runtime.service import Context, Service
from schemas import marks
from services.janitor.evidence import Evidence
from services.janitor.sweep import Ages, Sweep, Tally

NICE = 15  # everything else goes first
AGAIN = 60.0  # seconds after a look that failed

log = structlog.get_logger()


class Janitor:
    """Marks time, and sweeps."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.ages = Ages.of(context.config.retention)
        self.tick = marks.tick((self.ages.mail, self.ages.send, self.ages.deadletter))
        self.kept = Kept(context.broker)
        self.evidence = Evidence(context.broker)
        self.sweep = Sweep(
            context.broker, asking(context.broker), self.ages, stopping=context.stopping
        )
        self._counted = time.monotonic()  # up to when time is in the diary
        self._loaded = False

    async def turn(self) -> None:
        """One mark, then one look. Raises Retry, PostroadError."""
        if not self._loaded:
            await self.kept.load()
            self._counted, self._loaded = time.monotonic(), True
        ends, born = await self.evidence.ends()
        at = time.monotonic()
        diary = marks.older(self.kept.diary, at - self._counted, self.tick)
        analytics = self.context.config.analytics.keep_seconds  # the projector reads it as well
        longest = max(self.ages.longest, analytics)
        diary = marks.marked(diary, ends, born, longest=longest)
        self._counted = at
        if not await self.kept.store(diary):
            self._report("another janitor is at work here", Tally())
            return
        tally = await self.sweep.run(diary)
        self._report("", tally)

    def failed(self, reason: str) -> None:
        """A look could not be taken: nothing goes."""
        self.context.health.report("janitor", "look", ok=False, detail=reason)

    def _report(self, detail: str, tally: Tally) -> None:
        health = self.context.health
        for what, count in tally.gone.items():
            health.count(what, count)
            health.metrics.add(instruments.DELETED, what, by=count)
        kept = {kind: dict(reasons) for kind, reasons in tally.kept.items()}
        health.report(
            "janitor",
            "look",
            ok=True,
            detail=detail,
            last=now().isoformat(timespec="seconds"),
            deleted=dict(tally.gone),
            kept=kept,
        )
        if tally.gone:
            log.info("janitor.looked", deleted=dict(tally.gone), kept=kept)


async def run(context: Context) -> None:
    """Look again and again until told to stop."""
    os.nice(NICE)
    janitor = Janitor(context)
    context.ready()
    while not context.stopping.is_set():
        rest = janitor.tick
        try:
            await janitor.turn()
        except Retry as retry:
            janitor.failed(retry.reason)
            rest = min(AGAIN, rest)
        except PostroadError as error:
            janitor.failed(str(error))
            rest = min(AGAIN, rest)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(rest):
                await context.stopping.wait()


SERVICE = Service(name="janitor", about="deletes what is finished and has its age", run=run)
