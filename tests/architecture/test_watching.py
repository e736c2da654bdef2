"""What watches Postroad from outside fits it: metrics, alert rules, dashboards, and their pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroad.runtime import instruments
from postroad.runtime.alarms.table import TABLE
from services.monitor.exposition import labels, sample_names
from tests.architecture.documents import DOCS, OPERATORS, ROOT, SRES

RULES = (ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text()
DASHBOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))
EXPORTED = {name: each for each in instruments.ALL for name in sample_names(each)}
THEIRS = {"up", "le", "job"}  # Prometheus's own
WORDS = {
    *("sum", "max", "rate", "increase", "absent", "vector", "histogram_quantile"),
    *("by", "or", "and", "on", "without"),
}
# for what is told at once, whatever it is, and for what cannot tell by itself
OURS = {"PostroadActionNeeded", "PostroadAlarmNotTold"}


def queries() -> Iterator[tuple[str, str]]:
    """Every expression in the rules and on the dashboards, and whose it is."""
    yield from re.findall(r"- alert: (\w+)\n\s+expr: (.*)", RULES)
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{path.name}: {panel['title']}", target["expr"]


def names(expression: str) -> set[str]:
    """Names of metrics and labels in an expression."""
    bare = re.sub(r'"[^"]*"|\[[^\]]*\]|\$\w+', " ", expression)
    return set(re.findall(r"\b[a-zA-Z_]\w*\b", bare)) - WORDS - THEIRS


@pytest.mark.parametrize(("whose", "expression"), [*queries()])
def test_what_is_asked_for_is_exported(whose: str, expression: str) -> None:
    """Each metric that a rule or dashboard asks for exists, and has the labels it goes by."""
    asked = names(expression)
    metrics = asked & EXPORTED.keys()
    known = {label for name in metrics for label in labels(EXPORTED[name])}
    assert metrics or "up" in expression, whose
    assert asked - metrics <= known, (whose, asked - metrics - known)


def test_legends_name_labels_that_exist() -> None:
    """A legend, or the sentence of an alert, names labels that its metrics have."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                known = {
                    label
                    for name in names(target["expr"]) & EXPORTED.keys()
                    for label in labels(EXPORTED[name])
                }
                assert shown <= known, (path.name, panel["title"])
    every = {label for each in instruments.ALL for label in labels(each)}
    assert set(re.findall(r"\$labels\.(\w+)", RULES)) <= every


def test_each_metric_is_on_a_dashboard() -> None:
    """What is measured can be seen."""
    asked = set.union(*(names(expression) for _, expression in queries()))
    unseen = [each.name for each in instruments.ALL if not asked & {*sample_names(each)}]
    assert not unseen


def test_each_alarm_has_its_rule_and_its_page() -> None:
    """The table of alarms, the rules for Prometheus and the pages for operators are the same."""
    rules = dict(re.findall(r"- alert: (\w+)\n(?:.*\n)*?\s+runbook_url: (\S+)", RULES))
    expected = {alarm.alert: f"docs/operators/{alarm.page}" for alarm in TABLE}
    assert {alert: page for alert, page in rules.items() if alert not in OURS} == expected
    assert len(re.findall(r"- alert:", RULES)) == len(rules)
    assert all((ROOT / page).is_file() for page in rules.values())


def test_each_alarm_is_told_of_in_the_guide() -> None:
    """docs/operators/alarm.md has each alarm by its name, with its page."""
    text = (OPERATORS / "alarm.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|.*\[(\w+)\]\((\S+)\) \|$", text, re.MULTILINE)
    assert rows == [(alarm.name, alarm.alert, alarm.page) for alarm in TABLE]


def test_each_metric_is_in_the_reference() -> None:
    """docs/sres.md has each metric, with its kind and attributes."""
    text = (DOCS / Path(SRES.path).name).read_text()
    section = text[text.index("## Metrics") : text.index("## Traces")]
    rows = re.findall(r"^\| `([\w.]+)` \| (\w+) \| (.*?) \|", section, re.MULTILINE)
    assert rows == [
        (each.name, each.kind, ", ".join(f"`{name}`" for name in each.attributes))
        for each in instruments.ALL
    ]


def test_no_attribute_names_a_person_or_a_list() -> None:
    """A series is for ever, and so there are few: lists and people are none of them."""
    attributes = {name for each in instruments.ALL for name in each.attributes}
    assert not [name for name in attributes if re.search(r"list|person|address|mail\.|user", name)]
