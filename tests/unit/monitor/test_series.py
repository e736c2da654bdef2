"""Metrics: what processes count is added up, and exported under OpenTelemetry's names."""

from __future__ import annotations

import re
from pathlib import Path

from opentelemetry.sdk.resources import Resource

from postroad.httpmessage import Request, Response
from postroad.runtime import instruments
from postroad.runtime.alarms.sights import Behind, Look
from postroad.runtime.alarms.standing import Key, Standing
from postroad.runtime.condition import Disk, Lag, Seen
from postroad.runtime.health import Fact, Report
from postroad.runtime.metrics import Metrics, Point
from postroad.runtime.totals import Series, Sum, Totals
from postroad.runtime.verdict import STAGES, judge
from services.monitor import answers, exposition, kept
from services.monitor.collector import metrics_data
from services.monitor.series import series

NOW = 1_800_000_000.0
MAILS = Series(instruments.MAILS.name, ("box", "received"))


def report(instance: str, mails: int, cpu: float = 0.0) -> Report:
    """A process that has received so many mails."""
    point = Point(instruments.MAILS.name, ("box", "received"), mails)
    return Report(service="ingest", pid=1, instance=instance, cpu=cpu, metrics=[point])


def looked(**seen: object) -> Look:
    """A look at a road that is well."""
    relay = Fact(kind="relay", name="out", facts={"lanes": 4})
    source = Fact(kind="source", name="box", ok=False, detail="x", alarm="it expired")
    reports = [
        Report(service=name, pid=1, ready=True, rss_mb=40, facts=[relay, source]) for name in STAGES
    ]
    found = Seen(
        reports=tuple(reports),
        sources=("box",),
        relays=("out",),
        lags={"router": Lag(waiting=9, pending=2, oldest=65.0)},
        **seen,  # type: ignore[arg-type]
    )
    return Look(
        status=judge(found), seen=found, now=NOW, behind={"router": Behind(9, NOW - 60)}, refused={}
    )


def test_counts_go_on_over_restarts():
    """What a process counted stays counted when another takes its place, or two run."""
    totals = Totals(instruments.ALL)
    totals.take([report("a", 5)])
    totals.take([report("a", 7)])
    totals.take([report("b", 1)])
    totals.take([report("b", 2), report("c", 10)])
    assert totals.sums()[MAILS] == Sum(19)


def test_counts_go_on_over_a_restart_of_the_monitor(tmp_path: Path):
    """What is shown once never goes down, whether a process lives on or was ended meanwhile, for
    Prometheus would take that for a new beginning, and add it all again."""
    totals = Totals(instruments.ALL)
    totals.take([report("a", 5), report("b", 2, cpu=1.5)])
    kept.write(tmp_path, 1, totals, [(NOW, {"box": 1.0})])
    found = kept.read(tmp_path)
    again = Totals(instruments.ALL)
    again.go_on(found.sums, found.last)
    assert again.sums() == totals.sums()
    again.take([report("b", 3, cpu=1.75), report("c", 1)])
    assert again.sums()[MAILS] == Sum(9)
    assert again.sums()[Series(instruments.CPU.name, ("ingest",))] == Sum(1.75)
    assert (found.began, found.refused) == (1, [(NOW, {"box": 1.0})])


def test_a_damaged_file_of_counts_is_a_new_beginning(tmp_path: Path):
    """What cannot be read is passed over, and so is what another release counted otherwise."""
    (tmp_path / kept.NAME).write_text("{")
    assert not kept.read(tmp_path).sums
    totals = Totals(instruments.ALL)
    totals.go_on([("x", ("y",), 1.0, ()), (instruments.WINDOW.name, ("out",), 1.0, (1, 2))], {})
    assert not totals.sums()


def test_a_process_that_does_not_answer_once_is_not_counted_twice():
    """One that is too busy for a look counts on from where it was."""
    totals = Totals(instruments.ALL)
    for reports in ([report("a", 5)], [], [report("a", 6)]):
        totals.take(reports)
    assert totals.sums()[MAILS] == Sum(6)


def test_what_another_release_counts_is_passed_over():
    """An instrument that is not known, or has other attributes, disturbs nothing."""
    points = [Point("x", ("y",), 1), Point(instruments.MAILS.name, ("box",), 1)]
    totals = Totals(instruments.ALL)
    totals.take([Report(service="ingest", pid=1, instance="a", metrics=points)])
    assert {each.name for each in totals.sums()} == {instruments.CPU.name}


def test_prometheus_is_given_text():
    """Counters end in _total, units stand in names, buckets hold all below their bound."""
    counted = Metrics()
    counted.add(instruments.COPIES, "out", "accepted", by=3)
    for seconds in (0.004, 0.004, 99.0):
        counted.record(instruments.WINDOW, "out", value=seconds)
    totals = Totals(instruments.ALL)
    told = Report(service="sender", pid=1, instance="a", metrics=list(counted.points()))
    totals.take([told])
    lines = exposition.text(totals.sums()).decode().splitlines()
    assert (
        'postroad_sender_copies_total{postroad_outcome="accepted",postroad_relay="out"} 3.0'
        in lines
    )
    window = "postroad_sender_window_duration_seconds"
    assert f'{window}_bucket{{le="0.0025",postroad_relay="out"}} 0.0' in lines
    assert f'{window}_bucket{{le="0.005",postroad_relay="out"}} 2.0' in lines
    assert f'{window}_bucket{{le="+Inf",postroad_relay="out"}} 3.0' in lines
    assert f'{window}_count{{postroad_relay="out"}} 3.0' in lines
    assert f"# TYPE {window} histogram" in lines


def test_a_collector_is_given_the_same():
    """The SDK's data have the sums, buckets and attributes under their own names."""
    counted = Metrics()
    counted.record(instruments.WINDOW, "out", value=0.004)
    counted.add(instruments.COPIES, "out", "accepted", by=3)
    totals = Totals(instruments.ALL)
    told = Report(service="sender", pid=1, instance="a", metrics=list(counted.points()))
    totals.take([told])
    data = metrics_data(totals.sums(), Resource.create({}), began=1, now=2)
    metrics = {each.name: each for each in data.resource_metrics[0].scope_metrics[0].metrics}
    (copies,) = metrics["postroad.sender.copies"].data.data_points
    assert (copies.value, dict(copies.attributes or {})) == (  # type: ignore[union-attr]
        3,
        {"postroad.relay": "out", "postroad.outcome": "accepted"},
    )
    (window,) = metrics["postroad.sender.window.duration"].data.data_points
    assert (window.count, sum(window.bucket_counts)) == (1, 1)  # type: ignore[union-attr]
    assert metrics["postroad.sender.window.duration"].unit == "s"


def test_a_look_tells_lag_age_and_what_fails():
    """The monitor's own series: state, what waits and how long, sources, relays, alarms."""
    raised = Standing(alarm="source", name="box", kind="source", text="x", since=NOW, told=NOW)
    found = series(looked(parked=1), {}, {Key("source", "box"): raised})
    text = exposition.text(found).decode()
    router = '{messaging_consumer_group_name="router",messaging_destination_name="RECEIVED"}'
    for line in (
        "postroad_state 1.0",
        "postroad_broker_up 1.0",
        "postroad_parked_messages 1.0",
        f"postroad_consumer_waiting{router} 9.0",
        f"postroad_consumer_oldest_age_seconds{router} 65.0",
        f"postroad_consumer_stuck_time_seconds{router} 60.0",
        'postroad_source_up{postroad_source="box"} 0.0',
        'postroad_relay_up{postroad_relay="out"} 1.0',
        'postroad_relay_lanes{postroad_relay="out",postroad_state="connected"} 4.0',
        'postroad_alarms_raised{postroad_alarm="source"} 1.0',
        'postroad_service_instances{postroad_service="router"} 1.0',
    ):
        assert line in text.splitlines(), line
    assert not re.search(r"@|example\.", text)


def test_the_disk_is_measured_without_the_broker():
    """A full disk is the most frequent reason why a broker is away: its series stay."""
    seen = Seen(unreachable="no broker answers", disk=Disk(path="x", free=5, total=100))
    at = Look(status=judge(seen), seen=seen, now=NOW, behind={}, refused={})
    text = exposition.text(series(at, {}, {})).decode().splitlines()
    assert {"postroad_broker_up 0.0", "postroad_disk_free_bytes 5.0"} <= {*text}
    assert any("is full" in problem for problem in at.status.problems)


def test_health_fails_when_down_and_readiness_until_the_road_is_ready():
    """/healthz is 200 while degraded, /readyz while all of the road is ready; both tell why."""
    well, seen = looked().status, Seen(unreachable="no broker answers")
    codes = [answers.health(page, well).status for page in ("/healthz", "/readyz")]
    assert codes == [200, 200]
    down = answers.health("/healthz", judge(seen))
    assert (down.status, b"no broker answers" in down.page) == (503, True)
    assert answers.health("/readyz", None).status == 503


def test_only_get_of_three_pages_is_answered():
    """Anything else is 404 or 405, and nobody is asked for it."""
    for method, target, status in (("GET", "/", 404), ("POST", "/metrics", 405)):
        said = answers.asked(Request(method, target))
        assert isinstance(said, Response)
        assert said.status == status
    assert answers.asked(Request("GET", "/metrics?x=1")) == "/metrics"
