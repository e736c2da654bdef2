"""A process that is kept running, as status, log and alarm tell of it.

It starts, is ready, dies and is started again. After LOOPING deaths in a row it keeps dying, which
raises an alarm (`alarms/sights.py`); all is well again when it has lived for a minute.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from postroad.runtime.health import Health
from postroad.runtime.restarts import LONGEST_SECONDS, Restarts

log = structlog.get_logger()


class Upkeep:
    """The record of one process, told as the fact `kind` `name` of `health`; `facts` as well."""

    def __init__(self, health: Health, kind: str, name: str, **facts: Any) -> None:
        self.health = health
        self.kind = kind
        self.name = name
        self.restarts = Restarts()
        self._facts = facts
        self._pid = 0
        self._ready_at: float | None = None
        self.is_silent = False

    @property
    def crash_looping(self) -> bool:
        """Whether it keeps dying."""
        return self.restarts.crash_looping

    def waits(self) -> None:
        """It is to run, and is not started yet: others come before it."""
        self._tell(ok=True, detail="its turn to start has not come yet")

    def started(self, pid: int) -> None:
        """It runs."""
        self._pid, self._ready_at, self.is_silent = pid, None, False
        if self.restarts.count == 0:
            self._tell(ok=True, detail="starting")

    def ready(self) -> None:
        """It is at work."""
        self._ready_at = asyncio.get_running_loop().time()
        if self.crash_looping:
            deaths = f"runs again after {self.restarts.in_row} deaths in a row"
            self._tell(ok=False, up=True, detail=deaths)
        else:
            self._tell(ok=True, detail="ready")

    def settled(self) -> None:
        """It has lived for so long that what was before does not count."""
        self.restarts.settled()
        if self._ready_at is not None:
            self._tell(ok=True, detail="ready")

    def silent(self, detail: str) -> None:
        """It is alive and does not answer."""
        self.is_silent = True
        self._tell(ok=False, detail=detail)

    def heard(self) -> None:
        """It answers again."""
        self.is_silent = False
        if self.crash_looping or self._ready_at is None:
            self._tell(ok=False, up=True, detail="answers again")
        else:
            self._tell(ok=True, detail="ready")

    def died(self, ended: str, said: str = "") -> float:
        """It has `ended` in such a way, with such last words; seconds to wait until it is started
        again."""
        at, self._ready_at = self._ready_at, None
        worked = asyncio.get_running_loop().time() - at if at is not None else 0.0
        before = self.crash_looping
        wait = self.restarts.died(worked)
        end: dict[str, Any] = {"last_exit": ended, "said": said}
        if not self.crash_looping:
            self._tell(ok=False, detail=f"{ended}; starts again in {wait:g} s", **end)
            return wait
        if not before:
            log.error(
                "service.crash_looping",
                name=self.name if self.kind == "service" else self.kind,
                deaths=self.restarts.in_row,
                ended=ended,
                said=said,
            )
        words = f", saying: {said}" if said else ""
        detail = (
            f"keeps dying: it {ended}{words}; it is tried again every {LONGEST_SECONDS:g} s at the "
            "latest, and runs by itself once that is mended"
        )
        self._tell(ok=False, detail=detail, pause=LONGEST_SECONDS, **end)
        return wait

    def _tell(self, *, ok: bool, detail: str, up: bool = False, **more: Any) -> None:
        self.health.report(
            self.kind,
            self.name,
            ok=ok,
            detail=detail,
            up=up,
            pid=self._pid,
            restarts=self.restarts.count,
            crash_looping=self.crash_looping,
            silent=self.is_silent,
            **self._facts,
            **more,
        )
