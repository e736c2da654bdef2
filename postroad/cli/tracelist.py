"""Traces in a line each, from their spans. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from postroad.cli.output import shortened
from schemas.spans import Span

WHAT, FAILED = "began with", "failed"
NARROWEST = {"list": 8, WHAT: 14}  # characters that are left of a column where there is no room
GAP = 2  # between columns
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


Columns = Mapping[str, Sequence[str]]


def fitting(columns: Columns, width: int) -> tuple[Columns, int]:
    """The columns in lines of `width`, where they do not fit: the list is shortened, then what a
    trace began with; where that does not help, the latter goes. And how many of them, from the
    first, need not be folded."""
    for left_out in ("", WHAT):
        fitted = {name: cells for name, cells in columns.items() if name != left_out}
        for name in [name for name in NARROWEST if name in fitted]:
            if (over := _width(fitted) - width) > 0:
                most = max(NARROWEST[name], _widest(name, fitted[name]) - over)
                fitted[name] = [shortened(cell, most) for cell in fitted[name]]
        if _width(fitted) <= width:
            return fitted, len(fitted) - (FAILED in fitted)
    return fitted, [*fitted].index("took")


def _width(columns: Columns) -> int:
    return sum(_widest(*each) + GAP for each in columns.items()) - GAP


def _widest(name: str, cells: Sequence[str]) -> int:
    """Characters of a column; what failed may stand below each other."""
    if name == FAILED:
        cells = [each + "," for cell in cells for each in cell.split(", ")]
    return max(map(len, (name, *cells)))
