"""The rules for Prometheus, asked of what /metrics says: who is away raises an alert, and what
nobody can know any more is not told as if it were well."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from postroad.runtime.alarms.sights import Look
from postroad.runtime.condition import Disk, Seen
from postroad.runtime.health import Fact, Report
from postroad.runtime.verdict import STAGES, judge
from services.monitor import exposition
from services.monitor.series import series

RULES = Path(__file__).parents[3] / "deploy" / "prometheus" / "alerts.yaml"
EXPRESSIONS = dict(re.findall(r"- alert: (\w+)\n\s+expr: (.*)", RULES.read_text()))
COMPARE = {"==": operator.eq, ">": operator.gt, "<": operator.lt}
BESIDE = ("projector", "janitor", "monitor")
FACTS = (
    Fact(kind="relay", name="out", ok=True, facts={"lanes": 4}),
    Fact(kind="source", name="box", ok=True),
)


def metrics(*, without: str = "", **seen: object) -> str:
    """What /metrics says of a system that is well, but for one service, or what is `seen`."""
    reports = [
        Report(service=name, pid=1, ready=True, facts=[*FACTS])
        for name in (*STAGES, *BESIDE)
        if name != without
    ]
    told = {"reports": tuple(reports), **seen}
    found = Seen(
        sources=("box",),
        relays=("out",),
        beside=BESIDE,
        disk=Disk(path="x", free=90 << 30, total=100 << 30),
        **told,  # type: ignore[arg-type]
    )
    look = Look(status=judge(found), seen=found, now=0.0, behind={}, refused={})
    return exposition.text(series(look, {}, {})).decode()


def firing(text: str, up: int = 1) -> set[str]:
    """Which rules fire, as soon as they may; what asks for a rate is left out."""
    samples = {'up{job="postroad"}': float(up)}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            samples[name] = float(value)
    return {
        name
        for name, expression in EXPRESSIONS.items()
        if any(_holds(each, samples) for each in expression.split(" or ") if "[" not in each)
    }


def _holds(expression: str, samples: Mapping[str, float]) -> bool:
    if absent := re.fullmatch(r"absent\((\w+)\)", expression):
        return not any(name.partition("{")[0] == absent[1] for name in samples)
    bare = re.sub(r"max\((\w+)\)", r"\1", expression)
    compared = re.fullmatch(r"(\w+)(\{.*\})? (==|>|<) (?:([\d.e]+) \* )?(\w+|[\d.e]+)", bare)
    assert compared, expression
    metric, label, sign, factor, right = compared.groups()
    limit = samples.get(right) if right[0].isalpha() else float(right)
    if limit is None:
        return False
    return any(
        COMPARE[sign](value, float(factor or 1) * limit)
        for name, value in samples.items()
        if name.partition("{")[0] == metric and (label or "")[1:-1] in name
    )


def test_a_system_that_is_well_raises_nothing() -> None:
    """No rule fires where all is at work."""
    assert firing(metrics()) == set()


def test_a_broker_that_is_away_raises_one_alert_and_the_rest_is_not_told() -> None:
    """Without the broker nobody knows of services, sources and relays: they have no series, rather
    than the values of before, or zeros that would tell of what is not wrong."""
    text = metrics(unreachable="the broker does not answer", reports=())
    assert firing(text) == {"PostroadBrokerDown"}
    told = {line.partition("{")[0].split()[0] for line in text.splitlines() if line[0] != "#"}
    assert told == {
        "postroad_broker_up",
        "postroad_state",
        "postroad_disk_free_bytes",
        "postroad_disk_size_bytes",
    }
    assert "postroad_state 2.0" in text.splitlines()


@pytest.mark.parametrize("service", [*STAGES, *BESIDE])
def test_a_service_that_is_away_is_a_zero(service: str) -> None:
    """A service that does not answer has its series with 0, so that a rule can ask for it; what
    only it knows is not told meanwhile."""
    text = metrics(without=service)
    assert f'postroad_service_instances{{postroad_service="{service}"}} 0.0' in text.splitlines()
    assert firing(text) == {"PostroadServiceDown"}


def test_of_a_relay_that_nobody_has_looked_at_nothing_is_told() -> None:
    """Where no sender answers, a relay is neither up nor down, paused nor free."""
    reports = (Report(service="router", pid=1, ready=True),)
    assert not re.search(r"^postroad_relay_", metrics(reports=reports), re.MULTILINE)


def test_where_nobody_answers_at_metrics_an_alert_is_raised() -> None:
    """A monitor that is gone, or that Prometheus cannot reach, is seen from outside."""
    assert firing("", up=0) == firing("", up=1) == {"PostroadMonitorDown"}
