"""Traces: OpenTelemetry spans, sent over OTLP when configured and always kept in SPANS.

The trace id of a mail is its mail id, so a trace is found without an index and its time is in
its name (UUIDv7). Context travels in NATS headers as W3C `traceparent`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401  its fork hook must come before OpenTelemetry's
import contextlib
import contextvars
import os
import random
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import Token
from typing import TYPE_CHECKING

import msgspec
from opentelemetry import trace
from opentelemetry.context import Context as OtelContext
from opentelemetry.context import attach, detach
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from schemas import subjects
from schemas.spans import Span, SpanBatch

if TYPE_CHECKING:
    from postroad.runtime.config import Telemetry as Settings

Attribute = str | int | float | bool

_wanted_trace: contextvars.ContextVar[int] = contextvars.ContextVar("wanted_trace", default=0)
_traceparent = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_encode = msgspec.json.Encoder().encode
FLUSH_SECONDS = 0.5
KEEP_UNSENT = 20_000  # spans; beyond this the oldest are let go rather than memory


class _Ids(IdGenerator):
    """Random ids, but for the trace id a root span asked for."""

    def generate_span_id(self) -> int:
        return random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        return _wanted_trace.get() or random.getrandbits(128) or 1


class _Collector(SpanProcessor):
    """Keeps finished spans until the next flush."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.instance = str(os.getpid())
        self.finished: list[Span] = []

    def on_end(self, span: ReadableSpan) -> None:
        context = span.context
        if context is None:
            return
        failed = span.status.status_code is StatusCode.ERROR
        self.finished.append(
            Span(
                trace=f"{context.trace_id:032x}",
                span=f"{context.span_id:016x}",
                parent=f"{span.parent.span_id:016x}" if span.parent else "",
                name=span.name,
                service=self.service,
                start=span.start_time or 0,
                end=span.end_time or 0,
                error=(span.status.description or "error") if failed else "",
                attributes=dict(span.attributes or {}),  # type: ignore[arg-type]
                instance=self.instance,
            )
        )
        if len(self.finished) > KEEP_UNSENT:
            del self.finished[: KEEP_UNSENT // 2]


class _Scope:
    """Makes a span the current one for a block; a third cheaper than stacked generators."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._token: Token[OtelContext] | None = None

    def __enter__(self) -> trace.Span:
        self._token = attach(set_span_in_context(self._span))
        return self._span

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._token is not None:
            detach(self._token)
        if kind is not None and issubclass(kind, Exception):
            self._span.set_status(StatusCode.ERROR, kind.__name__)
        self._span.end()


class Telemetry:
    """The spans of one process."""

    def __init__(self, service: str, settings: Settings | None = None) -> None:
        resource = Resource(
            {
                "service.name": f"postroad-{service}",
                "service.namespace": (settings.service_namespace if settings else "") or "postroad",
                "service.instance.id": str(os.getpid()),
            }
        )
        self._collector = _Collector(service)
        self._provider = TracerProvider(
            id_generator=_Ids(), resource=resource, shutdown_on_exit=False
        )
        self._provider.add_span_processor(self._collector)
        if settings and settings.otlp_endpoint:
            self._provider.add_span_processor(_otlp(settings.otlp_endpoint))
        self._tracer = self._provider.get_tracer("postroad")

    def span(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        context: OtelContext | None = None,
        **attributes: Attribute,
    ) -> _Scope:
        """A span under the current one (or under `context`), for a `with` block. An exception
        marks it failed, by type and not by text, because texts may hold addresses."""
        span = self._tracer.start_span(name, context=context, kind=kind, attributes=attributes)
        return _Scope(span)

    @contextlib.contextmanager
    def root(self, mail_id: str, name: str, **attributes: Attribute) -> Iterator[trace.Span]:
        """The first span of a mail's trace, whose id is the mail id."""
        token = _wanted_trace.set(int(mail_id, 16))
        try:
            with self.span(
                name, kind=SpanKind.CONSUMER, context=OtelContext(), **attributes
            ) as span:
                yield span
        finally:
            _wanted_trace.reset(token)

    def consumer(
        self, name: str, headers: Mapping[str, str] | None, **attributes: Attribute
    ) -> _Scope:
        """A span for handling a message, under the span that published it."""
        return self.span(name, kind=SpanKind.CONSUMER, context=extract(headers or {}), **attributes)

    async def flush(self, publish: Callable[[str, bytes], Awaitable[None]]) -> None:
        """Store what has finished since the last flush, a message per shard."""
        finished, self._collector.finished = self._collector.finished, []
        shards: defaultdict[str, list[Span]] = defaultdict(list)
        for span in finished:
            shards[subjects.spans(span.trace)].append(span)
        for subject, spans in shards.items():
            for start in range(0, len(spans), 500):
                await publish(subject, _encode(SpanBatch(spans=tuple(spans[start : start + 500]))))

    async def keep_flushing(self, publish: Callable[[str, bytes], Awaitable[None]]) -> None:
        """Flush for ever, every half second; telemetry never fails the road."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            with contextlib.suppress(Exception):
                await self.flush(publish)

    def close(self) -> None:
        """Hand the rest to OTLP."""
        self._provider.shutdown()


def _otlp(endpoint: str) -> SpanProcessor:
    # imported only when asked for: it brings an HTTP client and protobuf along (12 MB)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    url = (
        endpoint
        if endpoint.rstrip("/").endswith("/v1/traces")
        else f"{endpoint.rstrip('/')}/v1/traces"
    )
    return BatchSpanProcessor(OTLPSpanExporter(endpoint=url))


def inject() -> dict[str, str]:
    """Headers that carry the current span to whoever reads the message (W3C Trace Context)."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    flags = f"{context.trace_flags:02x}"
    return {"traceparent": f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags}"}


def extract(headers: Mapping[str, str]) -> OtelContext:
    """The context a message carries; an empty one where it carries none."""
    match = _traceparent.fullmatch(headers.get("traceparent", ""))
    if not match:
        return OtelContext()
    parent = SpanContext(
        trace_id=int(match[1], 16),
        span_id=int(match[2], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(match[3], 16)),
    )
    return set_span_in_context(NonRecordingSpan(parent), OtelContext())
