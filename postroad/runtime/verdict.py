"""Whether Postroad is healthy, judged from what was seen of it.

healthy   every service is ready, every source, relay and hook works, events are folded, nothing is
          parked, and no provider refuses the mail of many members at once
down      the broker or a service of the road is away: mail waits
degraded  anything else

Every problem is a sentence for a person: what is wrong, and what helps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from postroad.runtime.health import LEFT_OUT, Fact, Report
from postroad.runtime.later import Later, Scheduled, limits, summed
from schemas import subjects

State = Literal["healthy", "degraded", "down"]
EXIT_CODES: Mapping[State, int] = {"healthy": 0, "degraded": 1, "down": 2}

# Each stage of the road in mail's own order, with the durables it works through.
STAGES: Mapping[str, tuple[subjects.Durable, ...]] = {
    "ingest": (),
    "router": (subjects.ROUTER,),
    "membership": (subjects.FANOUT,),
    "sender": (subjects.SENDER_NOW, subjects.SENDER_BULK),
}
SUPERVISOR = "supervisor"
STOPPING = "stopping"  # what a supervisor reports that was told to stop
FORGOTTEN = timedelta(hours=1)  # an error as old as this is told no more


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """Of one durable, in messages: `waiting` not given out yet, `pending` in hand, `redelivered`
    those in hand that were given out before."""

    waiting: int = 0
    pending: int = 0
    redelivered: int = 0


class BrokerState(msgspec.Struct, frozen=True, kw_only=True):
    """The broker. `kind` is embedded or external; `bytes` is what all streams hold on disk."""

    kind: Literal["embedded", "external"]
    state: State
    version: str = ""
    bytes: int = 0
    restarts: int = 0


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One process of a service; `uptime` in seconds, `rss_mb` its peak."""

    pid: int
    ready: bool
    uptime: float
    rss_mb: float
    counts: dict[str, int] = {}


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One service of the road and the mail before it; `lag` in messages."""

    stage: str
    state: State
    lag: int = 0
    pending: int = 0
    redelivered: int = 0
    restarts: int = 0
    instances: tuple[Instance, ...] = ()
    last_error: str = ""
    last_error_at: str = ""


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """A source or relay; `ok` is None where no service has said anything of it yet. A relay that is
    `limited` has had what the settings allow it for now: nothing is wrong, and it takes no more."""

    name: str
    ok: bool | None
    limited: bool = False
    detail: str = ""
    since: str = ""
    facts: dict[str, Any] = {}


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
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 healthy, 1 degraded, 2 down."""
        return EXIT_CODES[self.state]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was seen `at` a time. `unreachable` says why there is no broker; then the rest is empty.

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
    warnings: tuple[str, ...] = ()


def judge(seen: Seen) -> Status:
    """The state of the whole, and everything worth knowing of its parts."""
    beside = [name for name in seen.beside if _reports(name, seen) or not _left_out(name, seen)]
    stages = tuple(_stage(name, STAGES.get(name, ()), seen) for name in (*STAGES, *beside))
    sources = tuple(_peer("source", name, seen) for name in seen.sources)
    relays = tuple(_peer("relay", name, seen) for name in seen.relays)
    problems = tuple(_problems(seen, stages, sources, relays))
    road = [stage for stage in stages if stage.stage in STAGES]
    down = bool(seen.unreachable) or any(stage.state == "down" for stage in road)
    child = _child("broker", "embedded", seen)
    return Status(
        state="down" if down else "degraded" if problems else "healthy",
        stages=stages,
        sources=sources,
        relays=relays,
        broker=BrokerState(
            kind=seen.kind,
            state="down" if seen.unreachable else "healthy",
            version=seen.version,
            bytes=seen.bytes,
            restarts=int(child.facts.get("restarts", 0)) if child else 0,
        ),
        parked=seen.parked,
        held=_held(seen),
        later=summed(seen.later),
        analytics=tuple(_foldings(seen)),
        problems=problems,
        warnings=seen.warnings,
    )


def _stage(name: str, durables: tuple[subjects.Durable, ...], seen: Seen) -> Stage:
    reports = _reports(name, seen)
    lags = [seen.lags[durable.name] for durable in durables if durable.name in seen.lags]
    error, at = max(
        ((report.last_error, report.last_error_at) for report in reports),
        key=lambda each: each[1],
        default=("", ""),
    )
    if at and seen.at is not None and seen.at - datetime.fromisoformat(at) > FORGOTTEN:
        error = at = ""
    child = _child("service", name, seen)
    return Stage(
        stage=name,
        state="down" if not reports else "healthy" if _at_work(reports) else "degraded",
        lag=sum(lag.waiting for lag in lags),
        pending=sum(lag.pending for lag in lags),
        redelivered=sum(lag.redelivered for lag in lags),
        restarts=int(child.facts.get("restarts", 0)) if child else 0,
        instances=tuple(
            Instance(
                pid=report.pid,
                ready=report.ready,
                uptime=report.uptime,
                rss_mb=report.rss_mb,
                counts=report.counts,
            )
            for report in reports
        ),
        last_error=error,
        last_error_at=at,
    )


def _peer(kind: str, name: str, seen: Seen) -> Peer:
    """One source or relay; where several instances use it, the one it fails for is shown."""
    facts = [fact for report in seen.reports for fact in _facts(report, kind, name)]
    if not facts:
        return Peer(name=name, ok=None)
    fact = min(facts, key=lambda fact: (fact.ok, not fact.detail))
    limited = kind == "relay" and any(not limit.domain for limit in limits(fact.detail))
    return Peer(
        name=name,
        ok=fact.ok or limited,
        limited=limited,
        detail=fact.detail,
        since=fact.since,
        facts=fact.facts,
    )


def _problems(
    seen: Seen, stages: tuple[Stage, ...], sources: tuple[Peer, ...], relays: tuple[Peer, ...]
) -> Iterator[str]:
    if seen.unreachable:
        yield seen.unreachable
        return
    yield from _absent(seen, [stage.stage for stage in stages if stage.state == "down"])
    for stage in stages:
        if stage.state == "degraded":
            yield f"{stage.stage} is not ready yet; if this lasts, look at its log lines"
    for peer in _failing(sources):
        yield f"source {peer.name} does not work: {peer.detail}; its mail waits on its server"
    others = any(peer.ok and not peer.limited for peer in relays)
    share = "others take what they may of its copies; the rest waits"
    for peer in _failing(relays):
        copies = share if others else "its copies wait"
        yield f"relay {peer.name} does not work: {peer.detail}; {copies}"
    yield from _aside(seen)
    if seen.parked:
        messages = "1 message is" if seen.parked == 1 else f"{seen.parked} messages are"
        yield f"{messages} parked in DEADLETTER, kept but not processed; last {seen.last_parked}"


def _aside(seen: Seen) -> Iterator[str]:
    """What is wrong beside the road, on which mail goes on."""
    for name, detail in _failed("lookup", seen):
        yield f"the {name} {detail}; mail goes on without it"
    for name, detail in _failed("web", seen):
        yield f"web at {name}: {detail}; links to leave by lead nowhere, mail goes on"
    for _, detail in _failed("janitor", seen):
        yield f"the janitor deletes nothing: {detail}; what is finished stays meanwhile"
    for name, detail in _failed("hook", seen):
        yield f"the hook {name} could not be asked: {detail}; posts are held until it works again"
    for name, detail in _failed("analytics", seen):
        yield f"{name}: {detail}; mail goes on"
    for name, detail in _failed("incident", seen):
        provider, _, address = name.partition(", ")
        yield f"{provider} takes no mail of {address} {detail}; nobody's mail is stopped for it"


def _foldings(seen: Seen) -> Iterator[Folding]:
    for report in _reports("projector", seen):
        for fact in report.facts:
            if fact.kind == "stream":
                position, lag = fact.facts["position"], fact.facts["lag"]
                seconds = fact.facts["lag_seconds"]
                yield Folding(stream=fact.name, position=position, lag=lag, lag_seconds=seconds)


def _failed(kind: str, seen: Seen) -> Iterable[tuple[str, str]]:
    """Name and reason of each thing of a kind that does not work for some instance."""
    facts = (fact for report in seen.reports for fact in report.facts if fact.kind == kind)
    return {fact.name: fact.detail for fact in facts if not fact.ok}.items()


def _held(seen: Seen) -> int:
    facts = (fact for report in seen.reports for fact in _facts(report, "held", "mail"))
    return max((int(fact.facts.get("waiting", 0)) for fact in facts), default=0)


def _failing(peers: tuple[Peer, ...]) -> Iterator[Peer]:
    return (peer for peer in peers if peer.ok is False)


def _absent(seen: Seen, missing: list[str]) -> Iterator[str]:
    if _child(SUPERVISOR, STOPPING, seen):
        yield "Postroad is stopping, as it was told to; then start it with `postroad up`"
        return
    if STAGES.keys() <= {*missing} and not _reports(SUPERVISOR, seen):
        yield "the broker answers, but no service runs; start them with `postroad up`"
        return
    yield from (_missing(name, seen) for name in missing)
    for report in _reports(SUPERVISOR, seen):
        for fact in report.facts:
            if fact.facts.get("crash_looping") and fact.name not in missing:
                ended = fact.facts.get("last_exit", fact.detail)
                yield (
                    f"{fact.name} kept dying (the last time it {ended}) and runs again; unless it "
                    "dies within a minute all is well, else look at its log lines"
                )


def _missing(name: str, seen: Seen) -> str:
    child = _child("service", name, seen)
    if child is None:
        return f"{name} does not answer; start it with `postroad up` or `postroad run {name}`"
    if child.facts.get("crash_looping"):
        return f"{name} keeps dying ({child.detail}); look at its log lines"
    return f"{name} does not answer ({child.detail or 'starting'}); the supervisor restarts it"


def _reports(service: str, seen: Seen) -> list[Report]:
    return [report for report in seen.reports if report.service == service]


def _at_work(reports: list[Report]) -> bool:
    return any(report.ready for report in reports)


def _child(kind: str, name: str, seen: Seen) -> Fact | None:
    """What a supervisor says of a process it keeps."""
    facts = (f for report in _reports(SUPERVISOR, seen) for f in _facts(report, kind, name))
    return next(facts, None)


def _left_out(name: str, seen: Seen) -> bool:
    return _child(LEFT_OUT, name, seen) is not None


def _facts(report: Report, kind: str, name: str) -> list[Fact]:
    return [fact for fact in report.facts if (fact.kind, fact.name) == (kind, name)]
