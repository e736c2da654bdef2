"""The road of one person's copy: the windows it went in, by the ledger, and their spans."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from postroad.cli.ask import ask
from postroad.cli.mails import mail_id
from postroad.cli.spanreader import Trace
from postroad.runtime.broker import Broker
from postroad.runtime.errors import PostroadError, UsageError
from postroad.runtime.telemetry import PARENT
from projections.windows import Window, Windows
from schemas.road import WindowRecorded
from schemas.spans import Span
from schemas.whose import WhoseAddress

_TOGETHER = re.compile(r"([^\s@]+@[^\s@+]+)\+(\S+)")
_POST = re.compile(r"[0-9a-f]{6,32}(-\d+)?")
OTHERS = ("sender.chunk", "sender.window", "membership.queue")  # of which each has many
WORDS = {"accepted": "taken", "deferred": "put off", "failed": "refused", "left": "not sent"}


def apart(what: str, post: str) -> tuple[str, str]:
    """The address and the post that were typed: `ADDRESS POST`, in either order, `ADDRESS+POST`,
    or a post alone ("" for the address)."""
    if not post:
        match = _TOGETHER.fullmatch(what.strip())
        return (match[1], match[2]) if match else ("", what)
    if _POST.fullmatch(what.strip().lower()) and "@" in post:
        return post, what
    if "@" not in what:
        raise UsageError(f"{what!r} is no address: give `postroad trace ADDRESS POST`")
    return what, post


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One copy: whose, of which mail, and its windows in order of time, none where none was sent
    to them."""

    address: str
    mail: str
    windows: tuple[Window, ...]


async def way(broker: Broker, address: str, post: str) -> Way:
    """The windows in which somebody's copies of a post went. Raises UsageError, PostroadError."""
    mail = (await mail_id(broker, post)).partition("-")[0]
    whose = (await ask(broker, "whose", WhoseAddress(address=address))).whose
    if whose is None or not whose.person:
        raise PostroadError(f"nobody of the address {address} was ever known here")
    if whose.erased:
        raise PostroadError(f"who had the address {address} was erased: nothing else is known")
    found = Windows(whose.person)
    async for stored in broker.scan("DELIVERY", f"delivery.*.{mail}.*"):
        if found.concerns(stored.subject, stored.data):
            for entry in stored.events():
                if isinstance(entry, WindowRecorded):
                    parent = stored.headers.get(PARENT, "")
                    found.take(stored.subject, entry, parent, stored.time)
    windows = sorted(found.found, key=lambda each: (each.at is None, each.at))
    return Way(address=address, mail=mail, windows=tuple(windows))


def road_of(trace: Trace, windows: Sequence[Window]) -> list[Span]:
    """The spans of a trace that led to these windows: what all copies have in common, and of what
    each chunk has only theirs. Pure."""
    found = [_span_of(window, trace.spans) for window in windows]
    return road_to(trace, [span for span in found if span is not None])


def road_to(trace: Trace, windows: Sequence[Span]) -> list[Span]:
    """The same of windows that are known by their spans. Pure."""
    by_id = {span.span: span for span in trace.spans}
    own: set[str] = set()
    for window in windows:
        span: Span | None = window
        while span is not None and span.span not in own:
            own.add(span.span)
            span = by_id.get(span.parent)
    return [span for span in trace.spans if span.span in own or span.name not in OTHERS]


def _span_of(window: Window, spans: Sequence[Span]) -> Span | None:
    """The span of a window; older releases named that of its chunk."""
    named = window.span.split("-")[2] if window.span.count("-") == 3 else ""
    for span in spans:
        if span.name == "sender.window" and (
            span.span == named
            or (
                span.parent == named
                and span.attributes.get("postroad.chunk") == window.chunk
                and span.attributes.get("postroad.window.start") == window.start
            )
        ):
            return span
    return next((span for span in spans if span.span == named), None)


def answer(window: Window) -> str:
    """What the relay said to this person, in a line."""
    failure, outcome = window.failure, window.outcome
    words = [failure.code or "", failure.enhanced] if failure else [outcome.code or ""]
    reply = " ".join(str(word) for word in (*words, (failure or outcome).text) if word)
    what = WORDS[failure.kind if failure else "accepted"]
    at = f"{window.at:%Y-%m-%d %H:%M:%S} " if window.at else ""
    where = f"recipients {window.start + 1:,} to {window.end:,} of chunk {window.chunk}"
    by = f" by {window.relay}" if window.relay else ""
    return f"{at}{what}{by}: {reply or 'no reply'} ({where})"
