"""What a look at the whole shows of each thing that an alarm is about: wrong, and why, or well.
Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from postroad.runtime.alarms.standing import Key
from postroad.runtime.condition import Seen, Status, left_behind
from postroad.runtime.health import Fact, Report
from postroad.runtime.later import limits
from postroad.runtime.machine import ROOM, full_below
from postroad.runtime.verdict import GONE_BACK, STAGES, STOPPING, SUPERVISOR, last_end

MINUTE = 60.0
BEHIND = 10 * MINUTE  # a stage that gets nowhere for so long is told of
OLD = 30 * MINUTE  # of a message before a stage
FOLDED_LATE = 15 * MINUTE  # of an event that is not in the analytics
FREE = 0.10  # of the disk of state_dir; with less somebody should make room
REFUSED_FOR = 60 * MINUTE  # a mail that was left on its server is told for so long


@dataclass(frozen=True, slots=True)
class Behind:
    """Of one consumer: the fewest messages that waited before it `since` a time."""

    lowest: int
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at the whole, at `now` (seconds since the epoch). `behind` is by durable; `refused`
    how many mails each source left on its server in the last hour; `known` what stands now."""

    status: Status
    seen: Seen
    now: float
    behind: Mapping[str, Behind]
    refused: Mapping[str, int]
    known: Collection[Key] = ()
    watchman: str = ""  # what is wrong with the monitor, where it is not the one who looks


@dataclass(frozen=True, slots=True)
class Sight:
    """One thing that an alarm is about, as it is now: wrong for the reason of `text`, or well
    where that is empty. `at_once`: only a person can mend it, so there is nothing to wait for."""

    name: str
    text: str = ""
    kind: str = ""
    service: str = ""
    at_once: bool = False


def broker(look: Look) -> Iterator[Sight]:
    """The broker, the only one that is seen where there is none."""
    yield Sight(look.seen.kind, look.seen.unreachable)


def monitor(look: Look) -> Iterator[Sight]:
    """The monitor, where another looks in its stead."""
    yield Sight("monitor", look.watchman)


def crashing(look: Look) -> Iterator[Sight]:
    """Services, and the embedded broker, that die again and again."""
    for report in look.seen.reports:
        yield from dying(report)


def dying(report: Report) -> Iterator[Sight]:
    """Those of which this supervisor says so, or that they are well."""
    for fact in report.facts:
        if fact.kind in ("service", "broker") and fact.facts.get("crash_looping"):
            yield Sight(fact.name, f"keeps dying ({last_end(fact)})", fact.kind, report.service)
        elif fact.kind in ("service", "broker") and fact.ok:
            yield Sight(fact.name)


def away(look: Look) -> Iterator[Sight]:
    """Services that do not answer, or are not at work."""
    if any(fact.name == STOPPING for _, fact in _of(SUPERVISOR, look.seen)):
        return
    if any(not fact.ok for _, fact in _of(GONE_BACK, look.seen)):
        return  # they stand still for it
    for stage in look.status.stages:
        wrong = {"down": "does not answer", "degraded": "is not ready"}.get(stage.state, "")
        waits = "; mail waits" if stage.stage in STAGES else "; no mail waits for it"
        yield Sight(stage.stage, wrong and wrong + waits)


def parked(look: Look) -> Iterator[Sight]:
    """DEADLETTER."""
    count = look.status.parked
    by = look.seen.last_parked.partition(":")[0]
    messages = "1 message is" if count == 1 else f"{count} messages are"
    text = f"{messages} parked, kept but not processed; the last {by}; see postroad deadletter ls"
    yield Sight("DEADLETTER", text if count else "")


def facts(kind: str) -> Callable[[Look], Iterator[Sight]]:
    """Things that services report on; of several instances the one that fails counts."""

    def look_at(look: Look) -> Iterator[Sight]:
        configured = {"source": look.seen.sources, "relay": look.seen.relays}.get(kind)
        found: dict[str, Sight] = {}
        for report, fact in _of(kind, look.seen):
            seen = sight(report, fact)
            if seen is not None and _worse(seen, found.get(fact.name)):
                found[fact.name] = seen
        yield from found.values()
        if configured is not None:  # what nobody has any more fails nobody
            for key in look.known:
                if key.alarm == kind and key.name not in (*configured, "none", *found):
                    yield Sight(key.name)

    return look_at


def incidents(look: Look) -> Iterator[Sight]:
    """By provider: the address of a list is nobody's business where alarms go."""
    wrong: dict[str, bool] = {}
    for _, fact in _of("incident", look.seen):
        provider = fact.name.partition(", ")[0]
        wrong[provider] = wrong.get(provider, False) or not fact.ok
    for provider, is_wrong in wrong.items():
        text = (
            "takes no mail of a list of yours from many members at once; nobody is stopped for it"
        )
        yield Sight(provider, text if is_wrong else "", "", "membership")


def sight(report: Report, fact: Fact) -> Sight | None:
    """What a fact says; None where it says nothing of whether that is well."""
    if fact.alarm:
        return Sight(fact.name, fact.alarm, "", report.service, at_once=True)
    if fact.untried or (fact.kind == "relay" and not fact.ok and limits(fact.detail)):
        return None  # nobody knows, or it has had what we let it have
    return Sight(fact.name, "" if fact.ok else fact.detail or "fails", "", report.service)


def _worse(one: Sight, other: Sight | None) -> bool:
    return other is None or (one.at_once, bool(one.text)) > (other.at_once, bool(other.text))


def stage(look: Look) -> Iterator[Sight]:
    """Consumers that get nowhere."""
    for stage in look.status.stages:
        for consumer in stage.consumers:
            behind = look.behind.get(consumer.name)
            text = ""
            if behind is not None and look.now - behind.since >= BEHIND:
                minutes = int((look.now - behind.since) / MINUTE / 10) * 10
                text = f"mail waits, and has not become less for {minutes} minutes"
            yield Sight(consumer.name, text, "", stage.stage)


def oldest(look: Look) -> Iterator[Sight]:
    """Consumers with an old message before them."""
    for stage in look.status.stages:
        for consumer in stage.consumers:
            old = consumer.oldest_seconds > OLD
            text = f"the oldest message before it is older than {OLD / MINUTE:g} minutes"
            yield Sight(consumer.name, text if old else "", "", stage.stage)


def disk(look: Look) -> Iterator[Sight]:
    """The disk of state_dir."""
    disk = look.status.disk
    if disk is None or not disk.total:
        return
    short = disk.free < max(FREE * disk.total, ROOM)
    text = (
        f"less than {_size(_above(disk.free))} of {_size(disk.total)} free in {disk.path}; make "
        "room before the broker must refuse mail"
    )
    full = "is full" if disk.free < full_below(disk.total) else "is nearly full"
    yield Sight("state_dir", f"{full}: {text}" if short else "")


def _above(octets: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ... MB: what is told changes seldom, though a disk always
    does."""
    step = 1_000_000
    while True:
        for of in (1, 2, 5):
            if octets < of * step:
                return of * step
        step *= 10


def _size(octets: int) -> str:
    number, unit = (octets / 1e9, "GB") if octets >= 1e9 else (octets / 1e6, "MB")
    return f"{round(number, 1):,g} {unit}"


def analytics_late(look: Look) -> Iterator[Sight]:
    """How far the tables are behind the streams."""
    if look.status.analytics:
        late = max(each.lag_seconds for each in look.status.analytics) > FOLDED_LATE
        text = f"events older than {FOLDED_LATE / MINUTE:g} minutes are not in the tables"
        yield Sight("analytics.duckdb", text if late else "", "", "projector")


def refused(look: Look) -> Iterator[Sight]:
    """Sources that left mail on its server."""
    for name, count in look.refused.items():
        yield Sight(name, left_behind(count) if count else "", "", "ingest")


def behind(
    before: Mapping[str, Behind], waiting: Mapping[str, int], now: float
) -> dict[str, Behind]:
    """Of each consumer that has something before it, since when that has not become less."""
    found = {}
    for name, count in waiting.items():
        known = before.get(name)
        if count and (known is None or count < known.lowest or known.since > now):
            found[name] = Behind(count, now)
        elif count and known is not None:
            found[name] = known
    return found


def _of(kind: str, seen: Seen) -> Iterator[tuple[Report, Fact]]:
    return ((report, fact) for report in seen.reports for fact in report.facts if fact.kind == kind)
