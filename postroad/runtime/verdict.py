"""Whether Postroad is healthy, judged from what was seen of it.

healthy   every service is ready, every source, relay and hook works and left no mail behind in the
          last hour, events are folded, nothing is parked, and no provider refuses the mail of many
          members at once
down      the broker or a service of the road is away, or a stream has gone back: mail waits
degraded  anything else

Every problem is a sentence for a person: what is wrong, and what helps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from postroad.runtime.condition import (
    Breaker,
    BrokerState,
    Folding,
    Instance,
    Lag,
    Peer,
    Seen,
    Stage,
    Status,
    Waiting,
    left_behind,
)
from postroad.runtime.health import LEFT_OUT, Fact, Report
from postroad.runtime.later import limits, summed
from postroad.runtime.machine import full_below, scarce_below
from schemas import subjects

# Each stage of the road in mail's own order, with the durables it works through.
STAGES: Mapping[str, tuple[subjects.Durable, ...]] = {
    "ingest": (),
    "router": (subjects.ROUTER, subjects.ACCEPTED),
    "membership": (subjects.FANOUT, subjects.ANSWERS, subjects.BOUNCES),
    "sender": (subjects.SENDER_NOW, subjects.SENDER_BULK),
}
# What each of them counts that says how fast it goes, and what one of these is called.
RATED: Mapping[str, tuple[str, str]] = {
    "ingest": ("received", "mails"),
    "router": ("handled", "mails"),
    "membership": ("handled", "messages"),
    "sender": ("copies", "copies"),
    "projector": ("rows", "rows"),
}
SUPERVISOR = "supervisor"
GONE_BACK = "streams"  # the kind of fact of a stream that has less than it had
REFUSED = "refused"  # what who looks says of a source: how many mails it left lately
STOPPING = "stopping"  # what a supervisor reports that was told to stop
FORGOTTEN = timedelta(hours=1)  # an error as old as this is told no more
AHEAD = 5.0  # seconds that the clocks of broker and services may differ


def judge(seen: Seen) -> Status:
    """The state of the whole, and everything worth knowing of its parts."""
    beside = [name for name in seen.beside if _reports(name, seen) or not _left_out(name, seen)]
    stages = tuple(_stage(name, STAGES.get(name, ()), seen) for name in (*STAGES, *beside))
    sources = tuple(_peer("source", name, seen) for name in seen.sources)
    relays = tuple(_peer("relay", name, seen) for name in seen.relays)
    problems = tuple(_problems(seen, stages, sources, relays))
    road = [stage for stage in stages if stage.stage in STAGES]
    gone_back = [*_failed(GONE_BACK, seen)]
    down = bool(seen.unreachable or gone_back) or any(stage.state == "down" for stage in road)
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
        disk=seen.disk,
        clock=seen.clock,
        problems=problems,
        warnings=(*seen.warnings, *_scarce(seen), *_unheard(seen)),
    )


def _stage(name: str, durables: tuple[subjects.Durable, ...], seen: Seen) -> Stage:
    reports = _reports(name, seen)
    consumers = tuple(
        _waiting(durable, seen.lags[durable.name])
        for durable in durables
        if durable.name in seen.lags
    )
    error, at = max(
        ((report.last_error, report.last_error_at) for report in reports),
        key=lambda each: each[1],
        default=("", ""),
    )
    if at and seen.at is not None and seen.at - datetime.fromisoformat(at) > FORGOTTEN:
        error = at = ""
    count, unit = RATED.get(name, ("", ""))
    return Stage(
        stage=name,
        state="down" if not reports else "healthy" if _at_work(reports) else "degraded",
        rate=round(sum(report.rates.get(count, 0.0) for report in reports), 2),
        unit=unit,
        lag=sum(each.lag for each in consumers),
        pending=sum(each.pending for each in consumers),
        redelivered=sum(each.redelivered for each in consumers),
        oldest_seconds=max((each.oldest_seconds for each in consumers), default=0.0),
        consumers=consumers,
        restarts=sum(int(child.facts.get("restarts", 0)) for child in _children(name, seen)),
        instances=tuple(
            Instance(
                pid=report.pid,
                ready=report.ready,
                uptime=report.uptime,
                rss_mb=report.rss_mb,
                counts=report.counts,
                rates=report.rates,
            )
            for report in reports
        ),
        last_error=error,
        last_error_at=at,
    )


def _waiting(durable: subjects.Durable, lag: Lag) -> Waiting:
    return Waiting(
        name=durable.name,
        stream=durable.stream,
        lag=lag.waiting,
        pending=lag.pending,
        redelivered=lag.redelivered,
        oldest_seconds=lag.oldest,
        asking=lag.asking,
    )


def _peer(kind: str, name: str, seen: Seen) -> Peer:
    """One source or relay; where several instances use it, the one it fails for is shown."""
    facts = [fact for report in seen.reports for fact in _facts(report, kind, name)]
    if not facts:
        return Peer(name=name, ok=None, refused=_refused(name, seen) if kind == "source" else 0)
    fact = min(facts, key=lambda fact: (fact.ok, not fact.detail))
    limited = kind == "relay" and any(not limit.domain for limit in limits(fact.detail))
    breaker, left = _breaker(fact, seen) if kind == "relay" else (None, 0.0)
    return Peer(
        name=name,
        ok=fact.ok or limited,
        limited=limited,
        detail=fact.detail,
        since=fact.since,
        breaker=breaker,
        paused_seconds=left,
        polled=fact.facts.get("polled", ""),
        refused=_refused(name, seen) if kind == "source" else 0,
        last_error=fact.facts.get("last_error", ""),
        last_error_at=fact.facts.get("last_error_at", ""),
        facts=fact.facts,
    )


def _refused(source: str, seen: Seen) -> int:
    """Of a source: how many mails it left lately. The supervisor says so only where no monitor is:
    what it saw while it stood in for one may be old."""
    watchmen = _reports("monitor", seen) or _reports(SUPERVISOR, seen)
    facts = (fact for report in watchmen for fact in _facts(report, REFUSED, source))
    return max((int(fact.facts.get("mails", 0)) for fact in facts), default=0)


def _breaker(relay: Fact, seen: Seen) -> tuple[Breaker, float]:
    """Of a relay: whether copies go to it, and for how many seconds none will."""
    if not (until := relay.facts.get("paused_until", "")):
        return "closed", 0.0
    left = (datetime.fromisoformat(until) - seen.at).total_seconds() if seen.at else 0.0
    return ("open", round(left, 1)) if left > 0 else ("half-open", 0.0)


def _problems(
    seen: Seen, stages: tuple[Stage, ...], sources: tuple[Peer, ...], relays: tuple[Peer, ...]
) -> Iterator[str]:
    if seen.unreachable:
        yield seen.unreachable
        yield from _of_the_machine(seen)
        return
    if gone_back := [f"stream {name} {detail}" for name, detail in _failed(GONE_BACK, seen)]:
        yield from gone_back  # all stands still for it
        return
    yield from _absent(seen, [stage.stage for stage in stages if stage.state == "down"])
    if held := dict(_failed("restored", seen)):
        yield f"{' and '.join(sorted(held))} are {next(iter(held.values()))}"
    for stage in stages:
        if stage.state == "degraded":
            yield f"{stage.stage} is not ready yet; if this lasts, look at its log lines"
    yield from _of_the_machine(seen)
    yield from _of_sources(sources)
    others = any(peer.ok and not peer.limited for peer in relays)
    share = "others take what they may of its copies; the rest waits"
    for peer in _failing(relays):
        copies = share if others else "its copies wait"
        yield f"relay {peer.name} does not work: {peer.detail}; {copies}"
    yield from _aside(seen)
    if seen.parked:
        messages = "1 message is" if seen.parked == 1 else f"{seen.parked} messages are"
        last = f"; last {seen.last_parked}" if seen.last_parked else ""
        yield (
            f"{messages} parked in DEADLETTER, kept but not processed "
            f"(postroad deadletter ls){last}"
        )


def _of_sources(sources: tuple[Peer, ...]) -> Iterator[str]:
    for peer in _failing(sources):
        yield f"source {peer.name} does not work: {peer.detail}; its mail waits on its server"
    for peer in sources:
        if peer.refused:
            said = left_behind(peer.refused)
            yield f"source {peer.name}: {said} (docs/operators/mail-refused.md)"


def _of_the_machine(seen: Seen) -> Iterator[str]:
    if seen.disk and seen.disk.total and seen.disk.free < full_below(seen.disk.total):
        room = f"{seen.disk.free / 1e6:,.0f} MB free"
        full = f"the disk of {seen.disk.path} is full: {room}; make room, and it goes on by itself"
        yield full.removesuffix(", and it goes on by itself") if seen.unreachable else full
    if seen.clock and abs(seen.clock.broker_ahead) > AHEAD:
        ahead = seen.clock.broker_ahead
        how = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'}"
        yield f"the broker's clock is {how} this machine's; keep both right by NTP"


def _scarce(seen: Seen) -> Iterator[str]:
    disk = seen.disk
    if disk and full_below(disk.total) <= disk.free < scarce_below(disk.total):
        room = (
            f"{disk.free / 1e9:.1f} GB free"
            if disk.free >= 1e9
            else f"{disk.free / 1e6:.0f} MB free"
        )
        yield f"the disk of {disk.path} fills up: {room}; make room"


def _aside(seen: Seen) -> Iterator[str]:
    """What is wrong beside the road, on which mail goes on."""
    for name, detail in _failed("storage", seen):
        yield f"the {name}: {detail}; mail waits where it is"
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


def _unheard(seen: Seen) -> Iterator[str]:
    """Where the monitor cannot be asked: it looks and tells all the same. And a sender that could
    not say for certain, were it to die, to whom it was sending; and who
    could not be told of an alarm, until the next one."""
    for name, detail in _failed("telemetry", seen):
        yield f"no health and metrics at {name}: {detail}"
    for name, detail in _failed("telling", seen):
        yield f"the {name} of [alarm] told nobody of an alarm ({detail}); see postroad doctor"
    for name, detail in _failed("journal", seen):
        yield (
            f"the sender has no journal in {name}: {detail}; mend it and restart: were the sender "
            "killed, whole windows may go out twice, not only the mail under way"
        )


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
            if _of(fact) not in missing and (told := _ailing(fact, seen)):
                yield told


def _missing(name: str, seen: Seen) -> str:
    children = _children(name, seen)
    if not children and _reports(SUPERVISOR, seen):
        return f"{name} does not answer, and `postroad up` was not to run it: `postroad run {name}`"
    if not children:
        return f"{name} does not answer; start it with `postroad up` or `postroad run {name}`"
    for child in children:
        if child.facts.get("crash_looping"):
            return _keeps_dying(child)
    detail = children[0].detail or "starting"
    return f"{name} does not answer ({detail}); `postroad up` sees to it"


def _ailing(child: Fact, seen: Seen) -> str:
    """What is wrong with a process that a supervisor keeps, though its service answers."""
    if child.facts.get("silent"):
        return f"{_called(child)} is alive and does not answer; {child.detail}"
    if not child.facts.get("crash_looping"):
        return ""
    pid = child.facts.get("pid") if child.kind != "broker" else 0  # it answers, or we knew nothing
    if pid and not any(report.pid == pid for report in _reports(_of(child), seen)):
        return _keeps_dying(child)  # another instance answers
    return (
        f"{_called(child)} kept dying ({last_end(child)}) and runs again; unless it dies within a "
        "minute all is well, else look at its log lines"
    )


def _keeps_dying(child: Fact) -> str:
    every = f"every {pause:g} s" if (pause := child.facts.get("pause")) else "again and again"
    return (
        f"{_called(child)} keeps dying ({last_end(child)}); it is tried {every} and runs by itself "
        "once that is mended: look at its log lines"
    )


def _called(child: Fact) -> str:
    return "the embedded broker" if child.kind == "broker" else child.name


def last_end(child: Fact) -> str:
    """How a process that a supervisor keeps ended the last time, and what it said."""
    said = child.facts.get("said", "")
    return f"the last time it {child.facts.get('last_exit', child.detail)}" + (
        f", saying: {said}" if said else ""
    )


def _reports(service: str, seen: Seen) -> list[Report]:
    return [report for report in seen.reports if report.service == service]


def _at_work(reports: list[Report]) -> bool:
    return any(report.ready for report in reports)


def _child(kind: str, name: str, seen: Seen) -> Fact | None:
    """What a supervisor says of a process it keeps."""
    facts = (f for report in _reports(SUPERVISOR, seen) for f in _facts(report, kind, name))
    return next(facts, None)


def _children(service: str, seen: Seen) -> list[Fact]:
    """What supervisors say of the processes of a service that they keep."""
    facts = (fact for report in _reports(SUPERVISOR, seen) for fact in report.facts)
    return [fact for fact in facts if fact.kind == "service" and _of(fact) == service]


def _of(child: Fact) -> str:
    """The service whose process this is: of several, the second is called sender-2."""
    return str(child.facts.get("service", child.name))


def _left_out(name: str, seen: Seen) -> bool:
    return _child(LEFT_OUT, name, seen) is not None


def _facts(report: Report, kind: str, name: str) -> list[Fact]:
    return [fact for fact in report.facts if (fact.kind, fact.name) == (kind, name)]
