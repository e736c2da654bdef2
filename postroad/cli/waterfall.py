"""A trace as a waterfall: spans under their parents, each with its place in time. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from schemas.spans import Attribute, Span

ALIKE = 10  # spans of one name under one parent, shown one by one; a large post has thousands
NANO = 1e9
NOBODY: Mapping[str, str] = MappingProxyType({})
NOT_TAKEN = {"deferred": "put off", "left": "not sent"}
APART, QUIET = 10.0, 2.0  # what comes 10 times later than all before it lasted, and 2 s, is apart
AGAIN = {
    "postroad.redelivered": "given out again",
    "postroad.replay": "replay",
    "postroad.done_before": "done before",
}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line: `start` and `seconds` since the trace began; `count` spans stand for it. `note` is
    what else is to be known; a `mark` is of what happened at one time within the span above."""

    depth: int
    name: str
    service: str
    start: float
    seconds: float
    error: str = ""
    count: int = 1
    note: str = ""
    mark: bool = False


def parts(spans: Sequence[Span]) -> list[list[Span]]:
    """A trace cut where nothing was done for so long that what is before would be a dot: each
    part has a scale of its own. All that `consumer reset` gives out again is behind such a cut."""
    found: list[list[Span]] = []
    began = ended = min((span.start for span in spans), default=0)
    for span in sorted(spans, key=lambda span: span.start):
        quiet = span.start - ended
        if not found or quiet > max(QUIET * NANO, (APART - 1) * (ended - began)):
            found.append([])
        found[-1].append(span)
        ended = max(ended, span.end)
    return found


def rows(spans: Sequence[Span], named: Mapping[str, str] = NOBODY) -> Iterator[Row]:
    """The lines of a trace from the top, in order of time below each parent. What `named` says of
    a span, by its id, stands behind its name, and it has a line of its own.

    A span whose parent is not here (yet) stands at the top; what was done again stands beside the
    first try, though the trace has it below. One line stands for all tries of one name that failed
    alike, and, beyond ALIKE spans of one name under one parent, for the rest of them.
    """
    if not spans:
        return
    children = _children(spans)
    origin = min(span.start for span in spans)

    def below(parents: Sequence[Span | None], depth: int) -> Iterator[Row]:
        siblings = [span for each in parents for span in children[each.span if each else ""]]
        well: Counter[str] = Counter()
        lines: dict[tuple[str, str], list[Span]] = {}
        for span in sorted(siblings, key=lambda span: span.start):
            well[span.name] += not span.error
            many = bool(span.error) or well[span.name] > ALIKE
            many = many and span.span not in named
            lines.setdefault((span.name, span.error) if many else ("", span.span), []).append(span)
        for (name, error), alike in lines.items():
            yield _row(alike, depth, origin, named)
            if error or not name:
                yield from _marks(alike, depth + 1, origin)
                yield from below(alike, depth + 1)

    yield from below([None], 0)


def _children(spans: Sequence[Span]) -> Mapping[str, Sequence[Span]]:
    """The spans below each span, by its id; those at the top by ""."""
    known = {span.span: span for span in spans}
    found: defaultdict[str, list[Span]] = defaultdict(list)
    place: dict[str, str] = {}  # by id: below whom it stands
    for span in sorted(spans, key=lambda span: span.start):
        above = known.get(span.parent)
        if above is not None and above.name == span.name:
            place[span.span] = place.get(above.span, "")
        else:
            place[span.span] = "" if above is None else above.span
        found[place[span.span]].append(span)
    return found


def _row(spans: Sequence[Span], depth: int, origin: int, named: Mapping[str, str]) -> Row:
    begin, end = min(span.start for span in spans), max(span.end for span in spans)
    return Row(
        depth=depth,
        name=spans[0].name,
        service=spans[0].service,
        start=(begin - origin) / NANO,
        seconds=(end - begin) / NANO,
        error=next((span.error for span in spans if span.error), ""),
        count=len(spans),
        note=_note(spans[0], named) if len(spans) == 1 else "",
    )


def _note(span: Span, named: Mapping[str, str]) -> str:
    """What a span is about, where that is more than its name, and whether it is not the first."""
    said = span.attributes
    words = [str(said[name]) for name in ("postroad.source", "postroad.kind") if name in said]
    if "postroad.uid" in said:
        words.append(f"UID {said['postroad.uid']}")
    if "postroad.found_as" in said:
        words.append(str(said["postroad.found_as"]))
    if "postroad.accepted" in said:
        words += _outcome(said)
    words += [word for name, word in AGAIN.items() if said.get(name) is True]
    return f"{named.get(span.span, '')} {', '.join(words)}".strip()


def _outcome(said: Mapping[str, Attribute]) -> Iterator[str]:
    """Of how many recipients of a window what became: 48 taken, 1 refused, 1 put off."""
    others = {word: int(said.get(f"postroad.{kind}", 0)) for kind, word in NOT_TAKEN.items()}
    refused = int(said.get("postroad.failed", 0)) - sum(others.values())
    yield f"{said['postroad.accepted']} taken"
    for word, many in {"refused": refused, **others}.items():
        if many > 0:
            yield f"{many} {word}"


def _marks(spans: Sequence[Span], depth: int, origin: int) -> Iterator[Row]:
    """What happened within these spans, alike once."""
    told: set[str] = set()
    for span in spans:
        for moment in span.moments:
            about = " ".join(str(value) for value in moment.attributes.values())
            name = f"{moment.name}: {about}" if about else moment.name
            if name not in told:
                told.add(name)
                yield Row(
                    depth=depth,
                    name=name,
                    service=span.service,
                    start=(moment.at - origin) / NANO,
                    seconds=0.0,
                    mark=True,
                )


def bar(row: Row, total: float, width: int) -> str:
    """Where a row lies in `total` seconds, as a bar in a text of `width` characters."""
    if row.mark:
        return f"{' ' * min(int(row.start / total * width), width - 1) if total > 0 else ''}◆"
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
