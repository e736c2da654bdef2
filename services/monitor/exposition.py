"""Series as text for Prometheus, by the rules of OpenTelemetry for names: dots and signs become
underscores, and units and `_total` are put behind."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from postroad.runtime import instruments
from postroad.runtime.metrics import Instrument
from postroad.runtime.totals import Series, Sum

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_UNITS = {"s": "seconds", "By": "bytes"}  # those in braces are no units, and 1 has no name


def metric_name(instrument: Instrument) -> str:
    """Its name at Prometheus, without what a counter or histogram puts behind it."""
    name = _plain(instrument.name)
    unit = _UNITS.get(instrument.unit, "")
    return name if not unit or name.endswith(f"_{unit}") else f"{name}_{unit}"


def sample_names(instrument: Instrument) -> tuple[str, ...]:
    """The names under which Prometheus has it."""
    name = metric_name(instrument)
    if instrument.kind == "counter":
        return (f"{name}_total",)
    if instrument.kind == "histogram":
        return (f"{name}_bucket", f"{name}_sum", f"{name}_count")
    return (name,)


def labels(instrument: Instrument) -> tuple[str, ...]:
    """Its attributes as Prometheus has them."""
    return tuple(map(_plain, instrument.attributes))


def text(series: Mapping[Series, Sum]) -> bytes:
    """The page."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(series))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, series: Mapping[Series, Sum]) -> None:
        self._by_name: defaultdict[str, list[tuple[tuple[str, ...], Sum]]] = defaultdict(list)
        for (name, values), total in series.items():
            self._by_name[name].append((values, total))

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        for instrument in instruments.ALL:
            if found := self._by_name.get(instrument.name):
                yield _family(instrument, found)


def _family(instrument: Instrument, found: list[tuple[tuple[str, ...], Sum]]) -> Metric:
    name, about, names = metric_name(instrument), instrument.about, labels(instrument)
    if instrument.kind == "histogram":
        histogram = HistogramMetricFamily(name, about, labels=names)
        for values, total in found:
            histogram.add_metric(values, _buckets(instrument, total), total.value)
        return histogram
    if instrument.kind == "counter":
        counter = CounterMetricFamily(name, about, labels=names)
        for values, total in found:
            counter.add_metric(values, total.value)
        return counter
    gauge = GaugeMetricFamily(name, about, labels=names)
    for values, total in found:
        gauge.add_metric(values, total.value)
    return gauge


def _buckets(instrument: Instrument, total: Sum) -> list[tuple[str, float]]:
    """Upper bounds, and how many were at most that: ours hold those of each bucket alone."""
    found, so_far = [], 0
    for bound, count in zip((*map(str, instrument.bounds), "+Inf"), total.buckets, strict=True):
        so_far += count
        found.append((bound, float(so_far)))
    return found


def _plain(name: str) -> str:
    return re.sub(r"\W", "_", name, flags=re.ASCII)
