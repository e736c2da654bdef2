"""What a service knows of its own health, told to whoever asks on `postroad.status`.

A fact has a kind (`source`, `relay`, `roster`, ...) and a name. No addresses, no secrets.
"""

from __future__ import annotations

import os
import resource
import secrets
import time
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from postroad.runtime.clock import now
from postroad.runtime.metrics import Metrics, Point
from postroad.runtime.pace import Pace

STATUS_SUBJECT = "postroad.status"
ALARM_SUBJECT = "postroad.alarm"  # facts that raise an alarm or end it, as they happen
LEFT_OUT = "left out"  # a fact of the supervisor: a service beside the road that it was not to run
log = structlog.get_logger()


class Fact(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One thing a service reports on. `alarm` says what a person must mend, as long as it is not
    mended; what is `untried` is neither well nor not."""

    kind: str
    name: str
    ok: bool = True
    detail: str = ""
    alarm: str = ""
    untried: bool = False
    since: str = ""
    facts: dict[str, Any] = {}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a service says on ALARM_SUBJECT: a fact that raises an alarm, or may end one."""

    service: str
    fact: Fact


class Report(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What one instance of a service answers. `instance` is drawn at its start, so that a process
    is never taken for another; `cpu` is the processor time it has used, in seconds."""

    service: str
    pid: int
    instance: str = ""
    ready: bool = False
    uptime: float = 0.0
    rss_mb: float = 0.0
    cpu: float = 0.0
    counts: dict[str, int] = {}
    metrics: list[Point] = []
    rates: dict[str, float] = {}  # of the counts, a second, over the last minute
    facts: list[Fact] = []
    last_error: str = ""
    last_error_at: str = ""


class Health:
    """The health of one process."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.ready = False
        self.metrics = Metrics()
        self._instance = secrets.token_hex(4)
        self._started = time.monotonic()
        self._facts: dict[tuple[str, str], Fact] = {}
        self._counts: dict[str, int] = {}
        self._pace = Pace(self._started)
        self._last_error = ("", "")
        self.tell: Callable[[Fact], None] | None = None  # called with what raises or ends an alarm

    def report(
        self,
        kind: str,
        name: str,
        *,
        ok: bool,
        detail: str = "",
        alarm: bool = False,
        untried: bool = False,
        up: bool = False,
        **facts: Any,
    ) -> None:
        """How one thing is now; a change from good to bad or back is logged once. With `alarm`
        only a person can mend it, and is told; when it works again they are told that too. What is
        `up` works, though it may not be `ok` yet."""
        before = self._facts.get((kind, name))
        raised = before.alarm if before is not None and not ok else ""
        if before is None or before.ok != ok or (not ok and before.detail != detail):
            since = now().isoformat(timespec="seconds")
            if not (ok or up):
                self.error(f"{kind} {name}: {detail}")
                log.warning("health.down", kind=kind, name=name, detail=detail)
            elif before is not None and not before.ok:
                if self._last_error[0] == f"{kind} {name}: {before.detail}":
                    self.worked()
                log.info("health.up", kind=kind, name=name, **({} if ok else {"detail": detail}))
        else:
            since = before.since
        merged = {**(before.facts if before else {}), **facts}
        self._facts[kind, name] = fact = Fact(
            kind=kind,
            name=name,
            ok=ok,
            detail=detail,
            alarm=detail if alarm else raised,
            untried=untried,
            since=since,
            facts=merged,
        )
        if self.tell is not None and _tells(before, fact):
            self.tell(fact)

    def count(self, name: str, by: int = 1) -> None:
        """Count something that happened."""
        self._counts[name] = self._counts.get(name, 0) + by
        self._pace.add(name, by, time.monotonic())

    def error(self, what: str) -> None:
        """Remember the last thing that went wrong."""
        self._last_error = (what, now().isoformat(timespec="seconds"))

    def worked(self) -> None:
        """Something went well: what went wrong before is over, or stands among the facts."""
        self._last_error = ("", "")

    def answer(self) -> Report:
        """Everything, for `postroad status` and the monitor."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return Report(
            service=self.service,
            pid=os.getpid(),
            instance=self._instance,
            ready=self.ready,
            uptime=round(time.monotonic() - self._started, 1),
            rss_mb=round(used.ru_maxrss / 1024, 1),
            cpu=round(used.ru_utime + used.ru_stime, 3),
            counts=dict(self._counts),
            metrics=list(self.metrics.points()),
            rates=self._pace.rates(time.monotonic()),
            facts=list(self._facts.values()),
            last_error=self._last_error[0],
            last_error_at=self._last_error[1],
        )


def _tells(before: Fact | None, fact: Fact) -> bool:
    """Whether it raises an alarm, or may end one, also one of a process before this."""
    if before is None or before.untried:
        return bool(fact.alarm) or (fact.ok and not fact.untried)
    return fact.alarm != before.alarm
