"""Finished spans to an OpenTelemetry collector: OTLP over HTTP, in batches, in a thread of the SDK.

Imported only where a collector is configured.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401  its fork hook must come before OpenTelemetry's
from collections.abc import Iterable

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from schemas.spans import Kind, Span
from schemas.spans import Link as LinkTo

_SCOPE = InstrumentationScope("postroad")
_PATH = "/v1/traces"
_UNSET = Status()
QUEUE, BATCH = 20_000, 1_000  # spans: a fan-out has 1,500 a second
_KINDS: dict[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
    "producer": SpanKind.PRODUCER,
    "server": SpanKind.SERVER,
}


class Collector:
    """The way to the collector at `endpoint` (an http or https URL, with or without its path).
    What it does not take is dropped: telemetry never fails the road."""

    def __init__(self, endpoint: str, *, service: str, namespace: str, instance: str) -> None:
        endpoint = endpoint.rstrip("/")
        url = endpoint if endpoint.endswith(_PATH) else endpoint + _PATH
        self._batches = BatchSpanProcessor(
            OTLPSpanExporter(endpoint=url),
            max_queue_size=QUEUE,
            schedule_delay_millis=1_000,
            max_export_batch_size=BATCH,
        )
        self._resource = Resource.create(
            {
                "service.name": f"postroad-{service}",
                "service.namespace": namespace or "postroad",
                "service.instance.id": instance,
            }
        )

    def send(self, spans: Iterable[Span]) -> None:
        """Have them sent with the next batches."""
        for span in spans:
            attributes = span.attributes | ({"error.type": span.error} if span.error else {})
            self._batches.on_end(
                ReadableSpan(
                    span.name,
                    context=_context(span.trace, span.span, remote=False),
                    parent=_context(span.trace, span.parent, remote=True) if span.parent else None,
                    resource=self._resource,
                    attributes=attributes,
                    kind=_KINDS[span.kind],
                    status=Status(StatusCode.ERROR, span.error) if span.error else _UNSET,
                    start_time=span.start,
                    end_time=span.end,
                    instrumentation_scope=_SCOPE,
                    links=[_link(each) for each in span.links],
                    events=[Event(m.name, m.attributes, m.at) for m in span.moments],
                )
            )

    def close(self) -> None:
        """Send the rest."""
        self._batches.shutdown()  # type: ignore[no-untyped-call]


def _link(link: LinkTo) -> Link:
    how = {"postroad.link": link.how} if link.how else None
    return Link(_context(link.trace, link.span, remote=True), how)


def _context(trace: str, span: str, *, remote: bool) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(int(trace, 16), int(span, 16), is_remote=remote, trace_flags=flags)
