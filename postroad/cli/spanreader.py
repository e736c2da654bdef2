"""Spans out of SPANS: those of one trace, with who is linked to it; the traces of some time."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from postroad.cli.mails import mail_id
from postroad.runtime.broker import Broker
from postroad.runtime.clock import now
from postroad.runtime.config import Telemetry
from postroad.runtime.errors import PostroadError, UsageError
from schemas import subjects
from schemas.spans import Link, Span, SpanBatch

SKEW = timedelta(hours=1)  # how far the clock of a mail server may be ahead of ours
KEPT = timedelta(seconds=next(s.max_age for s in subjects.STREAMS if s.name == "SPANS"))
LINKED = 12  # traces that are shown beside one, at most
FOLDED = "folded"  # how the projector is linked with what it folds
MOMENT = 12  # digits of an id that are its time
_ID = re.compile(r"([0-9a-f]{32})(?:-\d+)?")
_BEGIN = re.compile(r"[0-9a-f]{12,31}")
_batch = msgspec.json.Decoder(SpanBatch)


class Trace(msgspec.Struct, kw_only=True):
    """The spans of one trace in order of time, and who is linked with it: `how` by trace id."""

    trace: str
    spans: list[Span] = []
    linked: dict[str, str] = {}

    @property
    def seconds(self) -> float:
        """How long it took, from its first start to its last end."""
        return (max(span.end for span in self.spans) - self.spans[0].start) / 1e9


async def find(broker: Broker, text: str, settings: Telemetry) -> Trace:
    """The trace that `text` means: an id of a mail, letter or command, the first digits of one, or
    a Message-ID. Raises UsageError where it is none of them, PostroadError where there are no
    spans of it."""
    text = text.strip()
    lower = text.lower()
    if whole := _ID.fullmatch(lower):
        return await of_id(broker, whole[1], settings)
    try:
        return await of_id(broker, await mail_id(broker, text), settings)
    except UsageError:
        raise
    except PostroadError as error:
        if _BEGIN.fullmatch(lower) and (found := await _begun(broker, lower)):
            return found
        if "@" in text and "+" not in text:
            told = f"{error}; the way of somebody's copy is `postroad trace ADDRESS POST`"
            raise PostroadError(told) from None
        raise


async def of_id(broker: Broker, id_: str, settings: Telemetry) -> Trace:
    """The trace of a mail, letter or command. Raises PostroadError where there are no spans."""
    trace = id_.partition("-")[0]
    found = await read(broker, trace)
    if not found.spans and (letter := await _of_letter(broker, trace)):
        found = await read(broker, letter)
    if not found.spans:
        raise PostroadError(_why_none(trace, settings))
    return found


async def read(broker: Broker, trace: str) -> Trace:
    """All that is kept of a trace; its spans may be none."""
    begun = _begin(trace)
    (found,) = await _read(broker, [trace], begun)
    if not found.spans and begun is not None:  # a clock was wrong, or the id tells no time
        (found,) = await _read(broker, [trace], None)
    return found


async def _read(broker: Broker, traces: Sequence[str], since: datetime | None) -> list[Trace]:
    """Traces of one shard."""
    found = {trace: Trace(trace=trace) for trace in traces}
    sought = re.compile("|".join(traces).encode())
    async for data in _messages(broker, subjects.spans(traces[0]), since):
        if sought.search(data):  # a batch holds spans of many traces
            batch = _batch.decode(data)
            for span in batch.spans:
                if span.trace in found:
                    found[span.trace].spans.append(span)
            for each in batch.linked:
                if each.trace in found:
                    found[each.trace].linked[each.by.trace] = each.by.how
    for trace in found.values():
        once = {(span.span, span.start): span for span in trace.spans}
        trace.spans = sorted(once.values(), key=lambda span: (span.start, span.end))
        for link in _links(trace.spans):
            if link.trace != trace.trace:
                trace.linked.setdefault(link.trace, link.how)
    return list(found.values())


async def beside(broker: Broker, found: Trace) -> list[tuple[str, Trace]]:
    """The traces that are linked with this one, and how, in order of time; those that are kept no
    more are left out. Of what the projector folded it is the first: a large post is folded in
    hundreds of pieces."""
    linked = sorted(found.linked.items())
    first = [each for each in linked if each[1] == FOLDED][:1]
    hows = dict([*[each for each in linked if each[1] != FOLDED][:LINKED], *first])
    shards: dict[str, list[str]] = {}
    for trace in hows:
        shards.setdefault(subjects.spans(trace), []).append(trace)
    traces = []
    for some in shards.values():
        begun = [_begin(trace) for trace in some]
        since = min((each for each in begun if each), default=None) if all(begun) else None
        traces += await _read(broker, some, since)
    return [(hows[t.trace], t) for t in sorted(traces, key=lambda t: t.trace) if t.spans]


async def recent(broker: Broker, since: datetime) -> AsyncIterator[Span]:
    """Every span stored since a time."""
    async for data in _messages(broker, "spans.>", since):
        for span in _batch.decode(data).spans:
            yield span


async def _messages(broker: Broker, subject: str, since: datetime | None) -> AsyncIterator[bytes]:
    start = "" if since is None else f"{since:%Y-%m-%dT%H:%M:%SZ}"
    async for stored in broker.scan("SPANS", subject, start_time=start):
        yield stored.data


def _links(spans: Iterable[Span]) -> list[Link]:
    return [link for span in spans for link in span.links]


async def _begun(broker: Broker, digits: str) -> Trace | None:
    """The only trace whose id begins so; None where there is none. Raises PostroadError."""
    since = _begin(digits)
    ids = {
        s.trace async for s in recent(broker, since or now() - KEPT) if s.trace.startswith(digits)
    }
    if len(ids) > 1:
        raise PostroadError(f"{digits} means {len(ids)} traces: give a whole id")
    return await read(broker, ids.pop()) if ids else None


async def _of_letter(broker: Broker, id_: str) -> str:
    """The trace in which a letter of ours was written; "" where it is none."""
    for stream, subject in (
        ("SEND", subjects.send_any_lane("*", id_, "0")),
        ("DELIVERY", subjects.delivery("*", id_, "0")),
    ):
        last = await broker.last(stream, subject)
        parent = last.headers.get("traceparent", "") if last else ""
        if len(parts := parent.split("-")) == 4:
            return parts[1]
    return ""


def _begin(digits: str) -> datetime | None:
    """When the trace with this id, or its beginning, began, less a while; None where that cannot
    be: older releases gave commands ids that tell no time."""
    seconds = int(digits[:MOMENT].ljust(MOMENT, "0"), 16) / 1000
    if not (now() - KEPT).timestamp() <= seconds <= (now() + SKEW).timestamp():
        return None
    return datetime.fromtimestamp(seconds, UTC) - SKEW


def _why_none(trace: str, settings: Telemetry) -> str:
    """Why there are no spans, in a line."""
    told = f"there are no spans of {trace}"
    seconds = int(trace[:MOMENT], 16) / 1000
    if seconds < (now() - KEPT).timestamp():
        return (
            f"{told}: they are kept for {KEPT.days} days, and it is older; `postroad post show` "
            "tells its story from the events"
        )
    if not settings.enabled:
        return f"{told}: [telemetry] enabled is false"
    if settings.sample < 1:
        return (
            f"{told}: {settings.sample:g} of all traces are kept ([telemetry] sample), of the "
            "others what failed or was slow; `postroad post show` tells its story from the events"
        )
    return f"{told}; they appear half a second after each step, and are kept for {KEPT.days} days"
