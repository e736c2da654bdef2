"""What raises an alarm: the one table, in the order in which it is told. Pure.

Each alarm has a rule of the same meaning in deploy/prometheus/alerts.yaml, and a page in
docs/operators that leads back to health; a test holds the three together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from postroad.runtime.alarms import sights
from postroad.runtime.alarms.sights import MINUTE, Look, Sight, sight
from postroad.runtime.alarms.standing import Found, Key
from postroad.runtime.health import Fact, Report
from postroad.runtime.verdict import GONE_BACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """What raises an alarm. It is told where it lasts for `after` seconds; with another reason
    again, `again` seconds later at the earliest. `alert` is its name at Prometheus, `page` its
    page in docs/operators, `well` how an all-clear ends."""

    name: str
    alert: str
    page: str
    kind: str
    look: Callable[[Look], Iterable[Sight]]
    after: float = 0.0
    again: float = 0.0
    well: str = "works again"
    of_facts: bool = False  # services tell of it the moment it changes


TABLE: tuple[Alarm, ...] = (
    Alarm(
        name="broker",
        alert="PostroadBrokerDown",
        page="broker-down.md",
        kind="broker",
        look=sights.broker,
        after=30,
        again=MINUTE,
    ),
    Alarm(
        name="streams",
        alert="PostroadStreamGoneBack",
        page="stream-gone-back.md",
        kind="stream",
        look=sights.facts(GONE_BACK),
        again=60 * MINUTE,
        well="is gone on with",
    ),
    Alarm(
        name="monitor",
        alert="PostroadMonitorDown",
        page="monitor-down.md",
        kind="service",
        look=sights.monitor,
        again=60 * MINUTE,
    ),
    Alarm(
        name="crashing",
        alert="PostroadServiceCrashing",
        page="service-crashing.md",
        kind="service",
        look=sights.crashing,
        again=10 * MINUTE,
        well="runs again",
    ),
    Alarm(
        name="away",
        alert="PostroadServiceDown",
        page="service-down.md",
        kind="service",
        look=sights.away,
        after=MINUTE,
        again=10 * MINUTE,
    ),
    Alarm(
        name="parked",
        alert="PostroadParked",
        page="parked.md",
        kind="stream",
        look=sights.parked,
        again=MINUTE,
        well="has nothing parked any more",
    ),
    Alarm(
        name="source",
        alert="PostroadSourceFailing",
        page="source-failing.md",
        kind="source",
        look=sights.facts("source"),
        of_facts=True,
        after=10 * MINUTE,
    ),
    Alarm(
        name="relay",
        alert="PostroadRelayFailing",
        page="relay-failing.md",
        kind="relay",
        look=sights.facts("relay"),
        of_facts=True,
        after=10 * MINUTE,
    ),
    Alarm(
        name="behind",
        alert="PostroadStageBehind",
        page="stage-behind.md",
        kind="consumer",
        look=sights.stage,
        again=60 * MINUTE,
        well="moves again",
    ),
    Alarm(
        name="oldest",
        alert="PostroadMailWaits",
        page="mail-waits.md",
        kind="consumer",
        look=sights.oldest,
        again=60 * MINUTE,
        well="has no old message before it any more",
    ),
    Alarm(
        name="disk",
        alert="PostroadDiskNearlyFull",
        page="disk-nearly-full.md",
        kind="disk",
        look=sights.disk,
        again=60 * MINUTE,
        well="has room again",
    ),
    Alarm(
        name="storage",
        alert="PostroadBrokerRefuses",
        page="broker-refuses.md",
        kind="storage",
        look=sights.facts("storage"),
        of_facts=True,
        well="stores again",
    ),
    Alarm(
        name="refused",
        alert="PostroadMailRefused",
        page="mail-refused.md",
        kind="source",
        look=sights.refused,
        again=60 * MINUTE,
        well="has refused no mail for an hour",
    ),
    Alarm(
        name="analytics",
        alert="PostroadAnalyticsFailing",
        page="analytics-failing.md",
        kind="analytics",
        look=sights.facts("analytics"),
        of_facts=True,
        after=10 * MINUTE,
    ),
    Alarm(
        name="folding",
        alert="PostroadAnalyticsBehind",
        page="analytics-behind.md",
        kind="analytics",
        look=sights.analytics_late,
        after=5 * MINUTE,
        well="is up to date again",
    ),
    Alarm(
        name="hook",
        alert="PostroadHookFailing",
        page="hook-failing.md",
        kind="hook",
        look=sights.facts("hook"),
        of_facts=True,
        after=5 * MINUTE,
    ),
    Alarm(
        name="incident",
        alert="PostroadProviderRefuses",
        page="provider-refuses.md",
        kind="incident",
        look=sights.incidents,
        well="is over",
    ),
    Alarm(
        name="web",
        alert="PostroadWebDown",
        page="web-down.md",
        kind="web",
        look=sights.facts("web"),
        of_facts=True,
        after=5 * MINUTE,
    ),
    Alarm(
        name="janitor",
        alert="PostroadJanitorStuck",
        page="janitor-stuck.md",
        kind="janitor",
        look=sights.facts("janitor"),
        of_facts=True,
        after=60 * MINUTE,
    ),
    Alarm(
        name="lookup",
        alert="PostroadLookupFailing",
        page="lookup-failing.md",
        kind="lookup",
        look=sights.facts("lookup"),
        of_facts=True,
        after=60 * MINUTE,
    ),
)
BY_NAME: Mapping[str, Alarm] = {alarm.name: alarm for alarm in TABLE}
_SEEN_BLIND = ("broker", "monitor", "disk")  # what can be told without the broker


def look_through(look: Look) -> tuple[list[Found], set[Key]]:
    """What is wrong, and what is known to be well. Without the broker nothing else is known."""
    found: list[Found] = []
    well: set[Key] = set()
    for alarm in TABLE:
        if look.seen.unreachable and alarm.name not in _SEEN_BLIND:
            continue
        for each in alarm.look(look):
            if each.text:
                found.append(_found(alarm, each))
            else:
                well.add(Key(alarm.name, each.name))
    return found, well


def told_of(service: str, fact: Fact) -> tuple[list[Found], set[Key]]:
    """The same of one fact that a service tells the moment it changes."""
    alarm = next((each for each in TABLE if each.of_facts and each.kind == fact.kind), None)
    seen = sight(Report(service=service, pid=0), fact) if alarm is not None else None
    if alarm is None or seen is None or (seen.text and not seen.at_once):
        return [], set()
    if seen.text:
        return [_found(alarm, seen)], set()
    return [], {Key(alarm.name, seen.name)}


def broker_dying(report: Report) -> list[Found]:
    """That the broker of this supervisor dies again and again. Nobody else knows, as long as nobody
    can be asked."""
    alarm = BY_NAME["crashing"]
    seen = (each for each in sights.dying(report) if each.kind == "broker")
    return [_found(alarm, each) for each in seen if each.text]


def _found(alarm: Alarm, seen: Sight) -> Found:
    return Found(
        key=Key(alarm.name, seen.name),
        kind=seen.kind or alarm.kind,
        text=seen.text,
        service=seen.service,
        after=0.0 if seen.at_once else alarm.after,
        again=0.0 if seen.at_once else alarm.again,
    )
