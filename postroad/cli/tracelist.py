"""Traces in a line each, from their spans. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from schemas.spans import Span

FOLD = "projector.fold"
RECEIVED = "ingest.receive"
OF_MAIL = frozenset({"ingest", "router", "sender"})  # services without which no mail goes anywhere


class Line(msgspec.Struct, kw_only=True):
    """One trace: when it began (ns since the epoch), in what it began, how long it and its slowest
    span took, what failed how often."""

    trace: str
    start: int
    end: int
    what: str
    list: str = ""
    service: str
    services: set[str]
    spans: int = 0
    slowest: float = 0.0
    errors: Counter[str] = msgspec.field(default_factory=Counter)

    @property
    def seconds(self) -> float:
        """From its first start to its last end."""
        return (self.end - self.start) / 1e9


class Lines:
    """The traces that spans are of, span by span."""

    def __init__(self) -> None:
        self._found: dict[str, Line] = {}

    def take(self, span: Span) -> None:
        """Take in one span."""
        line = self._found.get(span.trace)
        if line is None:
            line = self._found[span.trace] = Line(
                trace=span.trace,
                start=span.start,
                end=span.end,
                what=span.name,
                service=span.service,
                services=set(),
            )
        if span.start < line.start or not span.parent:
            line.what, line.service = span.name, span.service
        line.start = min(line.start, span.start)
        if not span.attributes.get("postroad.replay"):  # a reset days later takes no days
            line.end = max(line.end, span.end)
        line.list = line.list or str(span.attributes.get("postroad.list", ""))
        line.services.add(span.service)
        line.spans += 1
        line.slowest = max(line.slowest, (span.end - span.start) / 1e9)
        if span.error:
            line.errors[span.error] += 1

    def latest(self) -> list[Line]:
        """All of them, the latest first."""
        return sorted(self._found.values(), key=lambda line: line.start, reverse=True)


def chosen(
    all_: Iterable[Line],
    *,
    slow: float = 0.0,
    errors: bool = False,
    service: str = "",
    mails: bool = False,
) -> Iterator[Line]:
    """Those that have a span that took so many seconds, one that failed, one of this service, one
    that only `mails` have. The projector's own are left out unless it is asked for."""
    for line in all_:
        own = line.what == FOLD and service != line.service
        wanted = not service or service in line.services
        wanted = wanted and not (mails and line.services.isdisjoint(OF_MAIL))
        if wanted and not own and line.slowest >= slow and (line.errors or not errors):
            yield line
