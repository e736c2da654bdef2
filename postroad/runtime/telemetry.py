"""Traces: spans kept in SPANS, and sent to a collector where one is configured.

The trace id of a mail is its mail id, so a trace is found without an index and its time is in
its name (UUIDv7). Context travels in NATS headers as W3C `traceparent`. Until they leave for a
collector spans are our own: a post has ten, and each is a sixth of the work of one of
OpenTelemetry's SDK (ADR 20). Which traces are kept whole their id decides, the same in every
process; what failed and what was slow is kept of all (ADR 24).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Self

import msgspec

from schemas import subjects
from schemas.spans import Attribute, Kind, Link, Linked, Moment, Span, SpanBatch, first_span

if TYPE_CHECKING:
    from postroad.runtime.config import Telemetry as Settings

_traceparent = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_encode = msgspec.json.Encoder().encode
FLUSH_SECONDS = 0.5
KEEP_UNSENT = 20_000  # spans; beyond this the oldest are let go rather than memory
BATCH = 500  # spans in a message
MOST_LINKS = 32  # of a span, and what it makes of a header that anybody may have written
PARENT = "traceparent"
LINKS = "Postroad-Links"  # header: `HOW=TRACEPARENT` of what led to a message besides its trace
STATE, REPLAYED = "tracestate", "postroad=replay"
NEVER = 1 << 63  # ns


class OpenSpan:
    """A span for a `with` block, in which it is the current one. An exception marks it failed, by
    type and not by text, because texts may hold addresses. `attributes` may be added to, and
    `error` set, until the block ends; one that is not `kept` leaves no trace on the disk, which
    is for what strangers may cause by the million. `replay`: past mail is done once more."""

    __slots__ = (
        "_above",
        "_kind",
        "_links",
        "_moments",
        "_name",
        "_of",
        "_parent",
        "_start",
        "_token",
        "_wanted",
        "attributes",
        "error",
        "kept",
        "replay",
        "span",
        "trace",
    )
    _token: Token[OpenSpan | None]
    trace: str
    span: str

    def __init__(
        self,
        of: Telemetry,
        name: str,
        kind: Kind,
        attributes: dict[str, Attribute],
        *,
        above: OpenSpan | None = None,
        trace: str = "",
        parent: str = "",
        span: str = "",
        start: int = 0,
    ) -> None:
        self.attributes = attributes
        self.error = ""
        self.kept = True
        self.replay = False
        self._of = of
        self._name = name
        self._kind = kind
        self._above = above
        self._links: list[Link] | None = None
        self._moments: list[Moment] | None = None
        self._start = start or time.time_ns()
        if above is not None:
            trace, parent, self.replay = above.trace, above.span, above.replay
        self.trace = trace or f"{self._start // 1_000_000 << 80 | random.getrandbits(80):032x}"
        self._parent = parent
        self.span = span or f"{random.getrandbits(64) or 1:016x}"
        self._wanted = self.trace[18:] >= of.threshold

    @property
    def parent(self) -> str:
        """This span as others name it (W3C `traceparent`)."""
        return f"00-{self.trace}-{self.span}-{'01' if self._wanted else '00'}"

    def link(self, how: str, to: str) -> None:
        """Link to a span, given by its `traceparent`; what is none is passed over."""
        match = _traceparent.fullmatch(to)
        if match is not None and (match[1], match[2]) != (self.trace, self.span):
            self._link(Link(trace=match[1], span=match[2], how=how))

    def link_mail(self, how: str, mail_id: str) -> None:
        """Link to the beginning of a mail's trace, where this is not in it."""
        trace = mail_id.partition("-")[0]
        if trace != self.trace and len(trace) == 32:
            self._link(Link(trace=trace, span=first_span(trace), how=how))

    def _link(self, link: Link) -> None:
        links = self._links = self._links or []
        if len(links) < MOST_LINKS and link not in links:
            links.append(link)

    def moment(self, name: str, attributes: dict[str, Attribute]) -> None:
        """Something happens now."""
        moments = self._moments = self._moments or []
        moments.append(Moment(name=name, at=time.time_ns(), attributes=attributes))

    def step(self, name: str, start: int, end: int, attributes: dict[str, Attribute]) -> None:
        """A span below this one that has ended: half the work of one for a block."""
        if self._wanted or end - start >= self._of.slow:
            self._of.keep(
                Span(
                    trace=self.trace,
                    span=f"{random.getrandbits(64) or 1:016x}",
                    parent=self.span,
                    name=name,
                    service=self._of.service,
                    start=start,
                    end=end,
                    attributes=attributes,
                    instance=self._of.instance,
                )
            )

    def done_before(self) -> None:
        """What this is about turns out to be done: by an earlier try, or, where it is not given
        out anew, because its stream is read again."""
        self.attributes["postroad.done_before"] = True
        if self.attributes.get("messaging.message.delivery_attempt") == 1:
            self.attributes["postroad.replay"] = True

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _current.reset(self._token)
        of = self._of
        if kind is not None and issubclass(kind, Exception):
            self.error = kind.__name__
        if not self.kept:
            return
        end = time.time_ns()
        if not self._wanted:
            if not self.error and end - self._start < of.slow:
                return
            if self._above is not None:
                self._above._wanted = True  # noqa: SLF001  what it is part of is kept as well
        of.keep(
            Span(
                trace=self.trace,
                span=self.span,
                parent=self._parent,
                name=self._name,
                service=of.service,
                kind=self._kind,
                start=self._start,
                end=end,
                error=self.error,
                attributes=self.attributes,
                instance=of.instance,
                links=tuple(self._links) if self._links else (),
                moments=tuple(self._moments) if self._moments else (),
            )
        )


class _NoSpan(OpenSpan):
    """Stands for a span where there are none. It is nobody's parent."""

    def __init__(self) -> None:
        self.attributes = {}
        self.error = self.trace = self.span = self._parent = ""
        self.kept = self.replay = self._wanted = False
        self._links = self._moments = None

    @property
    def parent(self) -> str:
        """Nothing."""
        return ""

    def step(self, name: str, start: int, end: int, attributes: dict[str, Attribute]) -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        pass


_current: ContextVar[OpenSpan | None] = ContextVar("current_span", default=None)
_process: ContextVar[Telemetry | None] = ContextVar("telemetry", default=None)


class Telemetry:
    """The spans of one process."""

    def __init__(self, service: str, settings: Settings | None = None) -> None:
        self.service = service
        self.instance = str(os.getpid())
        self.on = settings.enabled if settings else True
        self.threshold = threshold(settings.sample if settings else 1.0)
        self.slow = int(settings.slow_seconds * 1e9) if settings and settings.slow else NEVER
        self._finished: list[Span] = []
        self._collector = None
        if settings and settings.otlp_endpoint and self.on:
            # imported only when asked for: it brings an HTTP client and protobuf along (12 MB)
            from postroad.runtime.otlp import Collector  # noqa: PLC0415

            self._collector = Collector(
                settings.otlp_endpoint,
                service=service,
                namespace=settings.service_namespace,
                instance=self.instance,
            )

    def begin(self) -> None:
        """Be the telemetry of all that begins from here on in this task, and of what it starts."""
        _process.set(self)

    def span(self, name: str, *, kind: Kind = "internal", **attributes: Attribute) -> OpenSpan:
        """A span under the current one, or the first of a trace of its own."""
        if not self.on:
            return _NoSpan()
        return OpenSpan(self, name, kind, attributes, above=_current.get())

    def root(self, mail_id: str, name: str, kind: Kind = "consumer", start: int = 0) -> OpenSpan:
        """The first span of a mail's trace, whose id is the mail id; it began at `start`, in ns
        since the epoch, or now."""
        if not self.on:
            return _NoSpan()
        trace = f"{int(mail_id, 16):032x}"
        return OpenSpan(self, name, kind, {}, trace=trace, span=first_span(trace), start=start)

    def consumer(
        self, name: str, headers: Mapping[str, str] | None, attributes: dict[str, Attribute]
    ) -> OpenSpan:
        """A span for handling a message, under the span that published it, and linked to what
        else led to it."""
        if not self.on:
            return _NoSpan()
        headers = headers or {}
        match = _traceparent.fullmatch(headers.get(PARENT, ""))
        trace, parent = (match[1], match[2]) if match else ("", "")
        span = OpenSpan(self, name, "consumer", attributes, trace=trace, parent=parent)
        if links := headers.get(LINKS):
            for each in links.split(",")[:MOST_LINKS]:
                how, _, to = each.partition("=")
                span.link(how, to)
        if headers.get(STATE) == REPLAYED:
            span.replay = attributes["postroad.replay"] = True
        return span

    def keep(self, span: Span) -> None:
        """Have a finished span stored with the next flush, and sent to the collector."""
        self._finished.append(span)
        if len(self._finished) > KEEP_UNSENT:
            del self._finished[: KEEP_UNSENT // 2]

    async def flush(self, publish: Callable[[str, bytes], Awaitable[None]]) -> None:
        """Store what has finished since the last flush, a message per shard, and hand it to the
        collector."""
        finished, self._finished = self._finished, []
        if self._collector is not None:
            self._collector.send(finished)
        for subject, batch in _batches(finished):
            await publish(subject, _encode(batch))

    async def keep_flushing(self, publish: Callable[[str, bytes], Awaitable[None]]) -> None:
        """Flush for ever, every half second; telemetry never fails the road."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            with contextlib.suppress(Exception):
                await self.flush(publish)

    def close(self) -> None:
        """Hand the rest to the collector."""
        if self._collector is not None:
            self._collector.close()


def threshold(sample: float) -> str:
    """From which last 14 hex digits on a trace is one of the share that is kept whole: as
    OpenTelemetry's consistent probability sampling has it, of 56 random bits."""
    if sample <= 0:
        return "g"  # behind every digit
    return f"{min(round((1 - sample) * (1 << 56)), (1 << 56) - 1):014x}"


def _batches(spans: list[Span]) -> Iterator[tuple[str, SpanBatch]]:
    """Messages by their subjects."""
    shards: defaultdict[str, list[Span]] = defaultdict(list)
    linked: defaultdict[str, list[Linked]] = defaultdict(list)
    for span in spans:
        shards[span.trace[-1]].append(span)
        for link in span.links:
            if link.trace != span.trace:
                by = Link(trace=span.trace, span=span.span, how=link.how)
                linked[link.trace[-1]].append(Linked(trace=link.trace, by=by))
    for shard in shards.keys() | linked.keys():
        subject, told = subjects.spans(shard), tuple(linked[shard])
        for start in range(0, max(len(shards[shard]), 1), BATCH):
            yield subject, SpanBatch(spans=tuple(shards[shard][start : start + BATCH]), linked=told)
            told = ()


def about(
    destination: str, operation: str, *, subscription: str = "", count: int = 0
) -> dict[str, Attribute]:
    """What OpenTelemetry's conventions for messaging want said of a span: which stream (or subject,
    of a request) it is about, whether messages are sent or processed, by which durable consumer,
    and how many, where they are many."""
    attributes: dict[str, Attribute] = {
        "messaging.system": "nats",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": destination,
    }
    if subscription:
        attributes["messaging.consumer.group.name"] = subscription
    if count:
        attributes["messaging.batch.message_count"] = count
    return attributes


def current() -> OpenSpan:
    """The span in which this happens; where there is none, one that nobody keeps."""
    return _current.get() or _NoSpan()


def span(name: str, *, kind: Kind = "internal", trace: str = "") -> OpenSpan:
    """A span under the current one; where there is none, the first of the mail `trace`, which
    this process makes, else of a trace of its own."""
    above = _current.get()
    of = above._of if above is not None else _process.get()  # noqa: SLF001
    if of is None:
        return _NoSpan()
    if above is None and trace:
        return of.root(trace, name, kind)
    return of.span(name, kind=kind)


def parent_in(head: bytes) -> str:
    """The `traceparent` in headers as they came; "" where there is none."""
    at = head.find(b"traceparent:")
    return head[at + 12 : head.find(b"\r\n", at)].decode(errors="replace").strip() if at > 0 else ""


def inject() -> dict[str, str]:
    """Headers that carry the current span to whoever reads the message (W3C Trace Context)."""
    span = _current.get()
    if span is None:
        return {}
    if span.replay:
        return {PARENT: span.parent, STATE: REPLAYED}
    return {PARENT: span.parent}


def carry(how: str, headers: Mapping[str, str], *, replay: bool = False) -> dict[str, str]:
    """Headers that go on in the trace of an earlier message, by its `headers`, and say how the
    current span has to do with it."""
    here = current().parent
    head = {PARENT: parent} if (parent := headers.get(PARENT)) else {}
    if head and here:
        head[LINKS] = f"{how}={here}"
    if replay:
        head[STATE] = REPLAYED
    return head
