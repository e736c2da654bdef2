"""From what was seen to series: those that the processes count, and those that only a look at the
whole tells. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from postroad.runtime import instruments
from postroad.runtime.alarms.sights import Look
from postroad.runtime.alarms.standing import Key, Standing
from postroad.runtime.condition import State
from postroad.runtime.metrics import Instrument
from postroad.runtime.totals import Series, Sum
from postroad.runtime.verdict import SUPERVISOR

STATES: Mapping[State, int] = {"healthy": 0, "degraded": 1, "down": 2}
BESIDE = (
    "analytics",
    "hook",
    "incident",
    "janitor",
    "lookup",
    "storage",
    "streams",
    "telemetry",
    "telling",
    "web",
)


def series(
    look: Look, counted: Mapping[Series, Sum], raised: Mapping[Key, Standing]
) -> dict[Series, Sum]:
    """Every series as it is now. Of what nobody can know there is none: without the broker all that
    need it, without a service what it alone tells."""
    found = dict(counted)
    for instrument, values, value in _all(look, raised):
        found[Series(instrument.name, values)] = Sum(float(value))
    return found


_Found = Iterator[tuple[Instrument, tuple[str, ...], float]]


def _all(look: Look, raised: Mapping[Key, Standing]) -> _Found:
    status = look.status
    yield instruments.STATE, (), STATES[status.state]
    yield instruments.BROKER_UP, (), not look.seen.unreachable
    told = Counter(each.alarm for each in raised.values() if each.told)
    for name, count in told.items():
        yield instruments.RAISED, (name,), count
    if status.disk is not None and status.disk.total:
        yield instruments.DISK_FREE, (), status.disk.free
        yield instruments.DISK_SIZE, (), status.disk.total
    if look.seen.unreachable:
        return
    yield instruments.BROKER_STORED, (), status.broker.bytes
    yield instruments.PARKED, (), status.parked
    yield instruments.HELD, (), status.held
    yield instruments.LATER, (), status.later.copies
    yield from _stages(look)
    yield from _processes(look)
    yield from _peers(look)
    for folding in status.analytics:
        yield instruments.FOLD_LAG, (folding.stream,), folding.lag
        yield instruments.FOLD_AGE, (folding.stream,), folding.lag_seconds


def _stages(look: Look) -> _Found:
    for stage in look.status.stages:
        yield instruments.INSTANCES, (stage.stage,), sum(one.ready for one in stage.instances)
        for each in stage.consumers:
            what = (each.name, each.stream)
            yield instruments.WAITING, what, each.lag
            yield instruments.PENDING, what, each.pending
            yield instruments.OLDEST, what, each.oldest_seconds
            behind = look.behind.get(each.name)
            stuck = look.now - behind.since if behind is not None else 0.0
            yield instruments.STUCK, what, max(0.0, round(stuck, 1))


def _processes(look: Look) -> _Found:
    memory: Counter[str] = Counter()
    restarts: Counter[str] = Counter()
    crashing: Counter[str] = Counter()
    for report in look.seen.reports:
        memory[report.service] += round(report.rss_mb * 1024 * 1024)
        if report.service == SUPERVISOR:
            for fact in report.facts:
                if fact.kind in ("service", "broker"):
                    name = fact.name.partition("#")[0] if fact.kind == "service" else "broker"
                    restarts[name] += int(fact.facts.get("restarts", 0))
                    crashing[name] |= bool(fact.facts.get("crash_looping"))
    for name, count in restarts.items():
        yield instruments.RESTARTS, (name,), count
        yield instruments.CRASHING, (name,), crashing[name]
    for service, peak in memory.items():
        yield instruments.MEMORY, (service,), peak


def _peers(look: Look) -> _Found:
    facts = [fact for report in look.seen.reports for fact in report.facts]
    tried = {(fact.kind, fact.name) for fact in facts if not fact.untried}
    for source in look.status.sources:
        if source.ok is not None:
            yield instruments.SOURCE_UP, (source.name,), source.ok
    for relay in look.status.relays:
        if relay.ok is not None and ("relay", relay.name) in tried:
            yield instruments.RELAY_UP, (relay.name,), relay.ok
        if relay.ok is None:
            continue  # nobody says anything of it
        yield instruments.RELAY_PAUSED, (relay.name,), relay.breaker == "open"
        yield instruments.RELAY_LIMITED, (relay.name,), relay.limited
        for state in ("connected", "used"):
            lanes = relay.facts.get("lanes" if state == "connected" else "lanes_used")
            if isinstance(lanes, int):
                yield instruments.LANES, (relay.name, state), lanes
    failing = Counter(fact.kind for fact in facts if not fact.ok)
    for kind in BESIDE:
        yield instruments.FAILING, (kind,), failing[kind]
    acting = Counter(fact.kind for fact in facts if fact.alarm)
    for kind in ("source", "relay", "analytics", *acting):
        yield instruments.ACTION, (kind,), acting[kind]
