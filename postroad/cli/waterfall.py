"""A trace as a waterfall: spans under their parents, each with its place in time. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from schemas.spans import Span

ALIKE = 10  # spans of one name under one parent, shown one by one; a large post has thousands
NANO = 1e9


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line: `start` and `seconds` since the trace began; `count` spans stand for it."""

    depth: int
    name: str
    service: str
    start: float
    seconds: float
    error: str = ""
    count: int = 1


def rows(spans: Sequence[Span]) -> Iterator[Row]:
    """The lines of a trace from the top, in order of time below each parent.

    A span whose parent is not here (yet) stands at the top. Beyond ALIKE spans of one name under
    one parent, one line stands for the rest of them.
    """
    if not spans:
        return
    known = {span.span for span in spans}
    children: defaultdict[str, list[Span]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: span.start):
        children[span.parent if span.parent in known else ""].append(span)
    origin = min(span.start for span in spans)

    def below(parent: str, depth: int) -> Iterator[Row]:
        seen: Counter[str] = Counter()
        rest: defaultdict[str, list[Span]] = defaultdict(list)
        for span in children[parent]:
            seen[span.name] += 1
            if seen[span.name] > ALIKE:
                rest[span.name].append(span)
                continue
            yield _row([span], depth, origin)
            yield from below(span.span, depth + 1)
        for alike in rest.values():
            yield _row(alike, depth, origin)

    yield from below("", 0)


def _row(spans: Sequence[Span], depth: int, origin: int) -> Row:
    begin, end = min(span.start for span in spans), max(span.end for span in spans)
    return Row(
        depth=depth,
        name=spans[0].name,
        service=spans[0].service,
        start=(begin - origin) / NANO,
        seconds=(end - begin) / NANO,
        error=next((span.error for span in spans if span.error), ""),
        count=len(spans),
    )


def bar(row: Row, total: float, width: int) -> str:
    """Where a row lies in `total` seconds, as a bar in a text of `width` characters."""
    if total <= 0:
        return "▪"
    begin = min(int(row.start / total * width), width - 1)
    length = max(1, round(row.seconds / total * width))
    return " " * begin + (
        "▪" if row.seconds / total * width < 1 else "█" * min(length, width - begin)
    )


def duration(seconds: float) -> str:
    """Seconds for a person: 412 µs, 3.2 ms, 1.75 s."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds:.2f} s"
