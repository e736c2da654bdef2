"""What docs/sres.md says of traces is what the code does; the collector's settings are valid."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture import plainyaml
from tests.architecture.documents import ROOT, SRES, code, rows

ATTRIBUTE = re.compile(r"(postroad|messaging|smtp|http|error)(\.[a-z_]+)+")
NO_ATTRIBUTES = {"postroad.status", "postroad.toml"}  # a subject, a file
SPANS = re.compile(r"(ingest|router|membership|sender|projector|janitor|web)\.[a-z_]+")
USES = re.compile(
    r"runtime(\.| import )telemetry|telemetry\.(span|root|consumer)\(|span\.attributes|span=\""
)
MAKERS = {"span", "root", "step", "consumer"}  # what makes a span of a name


def sources() -> Iterator[ast.Module]:
    """All code that has to do with spans."""
    runtime = [
        ROOT / "postroad/runtime" / f"{name}.py" for name in ("telemetry", "consume", "otlp")
    ]
    for path in (*runtime, *sorted((ROOT / "services").rglob("*.py"))):
        text = path.read_text()
        if path in runtime or USES.search(text):
            yield ast.parse(text)


def names(tree: ast.Module) -> Iterator[str]:
    """The names of spans that a module makes."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        given = [*node.args] if called in MAKERS else []
        given += [each.value for each in node.keywords if each.arg == "span"]
        for each in given:
            if isinstance(each, ast.Constant) and SPANS.fullmatch(str(each.value)):
                yield str(each.value)


def told(number: int) -> list[list[str]]:
    """The first cells of a table below Traces, each with the names in it."""
    tables = re.findall(r"(?:^\|.*\|\n)+", SRES.section("Traces"), re.MULTILINE)
    return [code(row[0]) for row in rows(tables[number])]


def test_every_span_is_told():
    """Each name that the code gives a span stands in the table, and no other."""
    made = {name for tree in sources() for name in names(tree)}
    # whose names are composed
    made |= {
        "router.handle",
        "membership.<command>",
        "membership.whois",
        "web.leave_look",
        "web.leave",
    }
    assert {name for cell in told(0) for name in cell} == made


def test_every_attribute_is_told():
    """Each attribute that the code gives a span, moment or link stands in the table."""
    made = {
        node.value
        for tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and ATTRIBUTE.fullmatch(node.value)
    }
    assert {name for cell in told(1) for name in cell} == made - NO_ATTRIBUTES


def test_every_kind_of_link_is_told():
    """Each way in which spans are linked stands in the table."""
    text = "".join(path.read_text() for path in Path(ROOT / "services").rglob("*.py"))
    made = set(re.findall(r'(?:link|link_mail|carry)\("(\w+)"', text))
    assert {name for cell in told(2) for name in cell} == made


def test_the_collector_s_settings_hold_together():
    """Each part that a pipeline of deploy/otel names is there, it listens where docs/sres.md
    has spans sent, and what it keeps a trace for is an attribute that we have."""
    text = (ROOT / "deploy/otel/collector.yaml").read_text()
    settings = plainyaml.load(text)
    pipeline = settings["service"]["pipelines"]["traces"]
    for kind in ("receivers", "processors", "exporters"):
        assert set(pipeline[kind]) == set(settings[kind]), kind
    endpoint = settings["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    assert f'otlp_endpoint = "http://{endpoint}"' in SRES.text
    assert f'otlp_endpoint = "http://{endpoint}"' in text
    policies = settings["processors"]["tail_sampling"]["policies"]
    assert all(policy["type"] in policy for policy in policies)
    keys = {
        policy["boolean_attribute"]["key"] for policy in policies if "boolean_attribute" in policy
    }
    assert keys <= {name for cell in told(1) for name in cell}
