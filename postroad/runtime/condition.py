"""The condition of an installation, as data: what was seen of it, and what `postroad status`,
`/healthz` and the live display say of it. Judged in `verdict`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import msgspec

from postroad.runtime.health import Report
from postroad.runtime.later import Later, Scheduled

State = Literal["healthy", "degraded", "down"]
EXIT_CODES: Mapping[State, int] = {"healthy": 0, "degraded": 1, "down": 2}


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """Of one durable, in messages: `waiting` not given out yet, `pending` in hand, `redelivered`
    those in hand that were given out before. `oldest` is the age in seconds of the oldest that
    waits or is in hand, `asking` how many requests for more the broker has."""

    waiting: int = 0
    pending: int = 0
    redelivered: int = 0
    oldest: float = 0.0
    asking: int = 0


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What one durable consumer of a stage has before it, as `Lag` has it."""

    name: str
    stream: str
    lag: int
    pending: int
    redelivered: int
    oldest_seconds: float
    asking: int


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """The disk of `path`, in bytes; `state_bytes` are our files there beside the broker's."""

    path: str
    free: int
    total: int
    broker_bytes: int = 0
    state_bytes: int = 0


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """This machine's clock: its time, how many seconds the broker's is ahead of it, and whether the
    kernel holds it to be synchronised (None: it does not say)."""

    at: str
    broker_ahead: float = 0.0
    synchronised: bool | None = None


class BrokerState(msgspec.Struct, frozen=True, kw_only=True):
    """The broker. `kind` is embedded or external; `bytes` is what all streams hold on disk."""

    kind: Literal["embedded", "external"]
    state: State
    version: str = ""
    bytes: int = 0
    restarts: int = 0


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One process of a service; `uptime` in seconds, `rss_mb` its peak, `rates` what it counts, a
    second, over the last minute."""

    pid: int
    ready: bool
    uptime: float
    rss_mb: float
    counts: dict[str, int] = {}
    rates: dict[str, float] = {}


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One service and the mail before it; `lag` in messages. `rate` is how many of its `unit` it
    has done a second in the last minute, `oldest_seconds` the age of the oldest message that it
    has not done."""

    stage: str
    state: State
    rate: float = 0.0
    unit: str = ""
    lag: int = 0
    pending: int = 0
    redelivered: int = 0
    oldest_seconds: float = 0.0
    consumers: tuple[Waiting, ...] = ()
    restarts: int = 0
    instances: tuple[Instance, ...] = ()
    last_error: str = ""
    last_error_at: str = ""


Breaker = Literal["closed", "open", "half-open"]


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """A source or relay; `ok` is None where no service has said anything of it yet. A relay that is
    `limited` has had what the settings allow it for now: nothing is wrong, and it takes no more.

    `refused` is how many mails a source left where they were in the last hour.
    `breaker` is a relay's: "open" while it is paused for `paused_seconds` more, "half-open" where
    the next copy tries it. `polled` is when a source was last looked at. Times are ISO 8601.
    """

    name: str
    ok: bool | None
    limited: bool = False
    detail: str = ""
    since: str = ""
    breaker: Breaker | None = None
    paused_seconds: float = 0.0
    polled: str = ""
    refused: int = 0
    last_error: str = ""
    last_error_at: str = ""
    facts: dict[str, Any] = {}


def left_behind(mails: int) -> str:
    """What a person is told of mails that a source left where they were."""
    many = f"{mails} mails" if mails > 1 else "a mail"
    where = "stay where they are" if mails > 1 else "stays where it is"
    return f"{many} could not be taken in the last hour and {where}"


class Folding(msgspec.Struct, frozen=True, kw_only=True):
    """How far a stream is in the analytics: its `position`, and what is behind it, as `lag` in
    messages and `lag_seconds`, the age of the oldest of them."""

    stream: str
    position: int
    lag: int
    lag_seconds: float


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What `postroad status --json` prints."""

    state: State
    stages: tuple[Stage, ...]
    sources: tuple[Peer, ...]
    relays: tuple[Peer, ...]
    broker: BrokerState
    parked: int = 0
    held: int = 0  # mails that wait for a verdict, as membership counted a moment ago
    later: Later = Later()
    analytics: tuple[Folding, ...] = ()
    disk: Disk | None = None
    clock: Clock | None = None
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 healthy, 1 degraded, 2 down."""
        return EXIT_CODES[self.state]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was seen `at` a time. `unreachable` says why there is no broker; then the rest is empty
    but for what this machine tells of itself, `disk` and `clock`.

    `lags` by name of durable; `last_parked` is where and why the latest message was parked.
    """

    kind: Literal["embedded", "external"] = "embedded"
    at: datetime | None = None
    unreachable: str = ""
    version: str = ""
    bytes: int = 0
    reports: tuple[Report, ...] = ()
    lags: Mapping[str, Lag] = field(default_factory=dict)
    parked: int = 0
    last_parked: str = ""
    later: Sequence[Scheduled] = ()
    sources: tuple[str, ...] = ()  # as configured, by name
    relays: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()  # services that no mail waits for, as configured
    disk: Disk | None = None
    clock: Clock | None = None
    warnings: tuple[str, ...] = ()
