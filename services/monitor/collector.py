"""Series to an OpenTelemetry collector: OTLP over HTTP, as the SDK's own data.

Imported only where a collector is configured. The SDK has no instrument for histograms that
somebody else has counted, so that its data points are made here, and its exporter sends them.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401  its fork hook must come before OpenTelemetry's
import logging
import os
from collections import defaultdict
from collections.abc import Mapping

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.metrics.export import (
    Sum as OtlpSum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from postroad.runtime import instruments
from postroad.runtime.metrics import Instrument
from postroad.runtime.totals import Series, Sum

_PATH = "/v1/metrics"
_TRACES = "/v1/traces"
_SECONDS = 5.0  # for a collector to take it; what it does not take comes with the next metrics


class Collector:
    """The way to the collector at `endpoint`, an http or https URL with or without its path."""

    def __init__(self, endpoint: str, *, namespace: str) -> None:
        base = endpoint.rstrip("/").removesuffix(_TRACES).removesuffix(_PATH)
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it prints tracebacks
        self._exporter = OTLPMetricExporter(endpoint=base + _PATH, timeout=_SECONDS)
        self._resource = Resource.create(
            {
                "service.name": "postroad-monitor",
                "service.namespace": namespace or "postroad",
                "service.instance.id": str(os.getpid()),
            }
        )

    def send(self, series: Mapping[Series, Sum], *, began: int, now: int) -> bool:
        """Send it all; whether it was taken. Times are nanoseconds since the epoch; `began` is when
        counting did. Blocks for some seconds at most: run it in a thread."""
        data = metrics_data(series, self._resource, began, now)
        return self._exporter.export(data, _SECONDS * 1000) is MetricExportResult.SUCCESS

    def close(self) -> None:
        """Hang up."""
        self._exporter.shutdown()


def metrics_data(
    series: Mapping[Series, Sum], resource: Resource, began: int, now: int
) -> MetricsData:
    """The same as the SDK's data."""
    by_name: defaultdict[str, list[tuple[tuple[str, ...], Sum]]] = defaultdict(list)
    for (name, values), total in series.items():
        by_name[name].append((values, total))
    metrics = [
        _metric(each, by_name[each.name], began, now)
        for each in instruments.ALL
        if each.name in by_name
    ]
    scope = InstrumentationScope("postroad")
    scoped = ScopeMetrics(scope=scope, metrics=metrics, schema_url="")
    return MetricsData([ResourceMetrics(resource, [scoped], schema_url="")])


def _metric(
    what: Instrument, found: list[tuple[tuple[str, ...], Sum]], began: int, now: int
) -> Metric:
    cumulative = AggregationTemporality.CUMULATIVE
    data: Gauge | OtlpSum | Histogram
    if what.kind == "histogram":
        data = Histogram([_measured(what, *each, began, now) for each in found], cumulative)
    else:
        points = [
            NumberDataPoint(
                attributes=dict(zip(what.attributes, values, strict=True)),
                start_time_unix_nano=began,
                time_unix_nano=now,
                value=total.value,
            )
            for values, total in found
        ]
        is_sum = what.kind == "counter"
        data = OtlpSum(points, cumulative, is_monotonic=True) if is_sum else Gauge(points)
    return Metric(name=what.name, description=what.about, unit=what.unit, data=data)


def _measured(
    what: Instrument, values: tuple[str, ...], total: Sum, began: int, now: int
) -> HistogramDataPoint:
    return HistogramDataPoint(
        attributes=dict(zip(what.attributes, values, strict=True)),
        start_time_unix_nano=began,
        time_unix_nano=now,
        count=sum(total.buckets),
        sum=total.value,
        bucket_counts=list(total.buckets),
        explicit_bounds=list(what.bounds),
        min=0.0,
        max=0.0,
    )
