"""Traces: spans kept in SPANS always, and sent to a collector where one is configured.

The trace id of a mail is its mail id, so a trace is found without an index and its time is in
its name (UUIDv7). Context travels in NATS headers as W3C `traceparent`. Until they leave for a
collector spans are our own: a post has six, and each is a sixth of the work of one of
OpenTelemetry's SDK (ADR 20).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, NamedTuple, Self

import msgspec

from schemas import subjects
from schemas.spans import Attribute, Kind, Span, SpanBatch

if TYPE_CHECKING:
    from postroad.runtime.config import Telemetry as Settings

_traceparent = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_encode = msgspec.json.Encoder().encode
FLUSH_SECONDS = 0.5
KEEP_UNSENT = 20_000  # spans; beyond this the oldest are let go rather than memory


class _Place(NamedTuple):
    """Under which span something happens: hexadecimal digits, empty where there is none."""

    trace: str = ""
    span: str = ""


_NOWHERE = _Place()
_current: ContextVar[_Place] = ContextVar("current_span", default=_NOWHERE)


class OpenSpan:
    """A span for a `with` block, in which it is the current one. An exception marks it failed, by
    type and not by text, because texts may hold addresses. `attributes` may be added to, and
    `error` set, until the block ends; one that is not `kept` leaves no trace on the disk, which
    is for what strangers may cause by the million."""

    __slots__ = (
        "_here",
        "_kind",
        "_name",
        "_of",
        "_parent",
        "_start",
        "_token",
        "attributes",
        "error",
        "kept",
    )
    _token: Token[_Place]

    def __init__(
        self,
        of: Telemetry,
        name: str,
        kind: Kind,
        under: _Place,
        attributes: dict[str, Attribute],
    ) -> None:
        self.attributes = attributes
        self.error = ""
        self.kept = True
        self._of = of
        self._name = name
        self._kind = kind
        self._parent = under.span
        self._here = _Place(
            under.trace or f"{random.getrandbits(128) or 1:032x}",
            f"{random.getrandbits(64) or 1:016x}",
        )
        self._start = time.time_ns()

    def __enter__(self) -> Self:
        self._token = _current.set(self._here)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _current.reset(self._token)
        if kind is not None and issubclass(kind, Exception):
            self.error = kind.__name__
        if not self.kept:
            return
        self._of.keep(
            Span(
                trace=self._here.trace,
                span=self._here.span,
                parent=self._parent,
                name=self._name,
                service=self._of.service,
                kind=self._kind,
                start=self._start,
                end=time.time_ns(),
                error=self.error,
                attributes=self.attributes,
                instance=self._of.instance,
            )
        )


class Telemetry:
    """The spans of one process."""

    def __init__(self, service: str, settings: Settings | None = None) -> None:
        self.service = service
        self.instance = str(os.getpid())
        self._finished: list[Span] = []
        self._collector = None
        if settings and settings.otlp_endpoint:
            # imported only when asked for: it brings an HTTP client and protobuf along (12 MB)
            from postroad.runtime.otlp import Collector  # noqa: PLC0415

            self._collector = Collector(
                settings.otlp_endpoint,
                service=service,
                namespace=settings.service_namespace,
                instance=self.instance,
            )

    def span(self, name: str, *, kind: Kind = "internal", **attributes: Attribute) -> OpenSpan:
        """A span under the current one."""
        return OpenSpan(self, name, kind, _current.get(), attributes)

    def root(self, mail_id: str, name: str, **attributes: Attribute) -> OpenSpan:
        """The first span of a mail's trace, whose id is the mail id."""
        return OpenSpan(self, name, "consumer", _Place(f"{int(mail_id, 16):032x}"), attributes)

    def consumer(
        self, name: str, headers: Mapping[str, str] | None, **attributes: Attribute
    ) -> OpenSpan:
        """A span for handling a message, under the span that published it."""
        return OpenSpan(self, name, "consumer", _sender(headers or {}), attributes)

    def keep(self, span: Span) -> None:
        """Have a finished span stored with the next flush, and sent to the collector."""
        self._finished.append(span)
        if len(self._finished) > KEEP_UNSENT:
            del self._finished[: KEEP_UNSENT // 2]
        if self._collector is not None:
            self._collector.send(span)

    async def flush(self, publish: Callable[[str, bytes], Awaitable[None]]) -> None:
        """Store what has finished since the last flush, a message per shard."""
        finished, self._finished = self._finished, []
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
        """Hand the rest to the collector."""
        if self._collector is not None:
            self._collector.close()


def inject() -> dict[str, str]:
    """Headers that carry the current span to whoever reads the message (W3C Trace Context)."""
    trace, span = _current.get()
    return {"traceparent": f"00-{trace}-{span}-01"} if span else {}


def _sender(headers: Mapping[str, str]) -> _Place:
    match = _traceparent.fullmatch(headers.get("traceparent", ""))
    return _Place(match[1], match[2]) if match else _NOWHERE
