"""Which streams and subjects somebody means."""

from __future__ import annotations

import msgspec

from postroad.runtime.errors import UsageError
from schemas import subjects
from schemas.subjects import Stream

NAMES = {stream.name: stream for stream in subjects.STREAMS}
# of no event: octets of mail, spans (`postroad trace` tells those), where sources stand
NO_EVENTS = frozenset({"RAW", "SPANS", "KV_CHECKPOINTS", "SEEN", "THREADS"})


class Place(msgspec.Struct, frozen=True):
    """A stream, and what of it is meant."""

    stream: str
    filter: str


def places(text: str) -> list[Place]:
    """The streams that `text` means: the name of one, or a subject, wildcards allowed; without any,
    all that hold events. Raises UsageError for one that is none of ours."""
    if not text:
        return [_whole(each) for each in subjects.STREAMS if each.name not in NO_EVENTS]
    named = NAMES.get(text.upper())
    if named is not None:
        return [_whole(named)]
    found = [
        Place(stream.name, text)
        for stream in subjects.STREAMS
        if any(meet(text, pattern) for pattern in stream.subjects)
    ]
    if not found:
        raise UsageError(
            f"{text!r} is no stream, and no stream has such a subject; the streams are: "
            f"{', '.join(NAMES)}, and a subject is like mail.routed.>"
        )
    return found


def one_stream(text: str) -> Stream:
    """The stream of this name. Raises UsageError naming those there are."""
    found = NAMES.get(text.upper())
    if found is None:
        raise UsageError(f"there is no stream {text!r}; there are: {', '.join(NAMES)}")
    return found


def meet(one: str, other: str) -> bool:
    """Whether a subject can match both patterns."""
    ours, theirs = one.split("."), other.split(".")
    for mine, yours in zip(ours, theirs, strict=False):
        if ">" in (mine, yours):
            return True
        if mine != yours and "*" not in (mine, yours):
            return False
    if len(ours) == len(theirs):
        return True
    longer = ours if len(ours) > len(theirs) else theirs
    shorter = theirs if longer is ours else ours
    return bool(shorter) and shorter[-1] == ">"


def exact(subject: str) -> bool:
    """Whether it names one subject."""
    return not {"*", ">"} & set(subject.split("."))


def parts(subject: str) -> tuple[str, str, str]:
    """Kind, list and mail of a subject, as far as it names them."""
    words = subject.split(".")
    match words:
        case ["mail", "received", _, mail]:
            return "received", "", mail
        case ["mail", "routed", kind, list_, mail]:
            return kind, list_, mail
        case ["mail", "send", lane, list_, mail, _]:
            return lane, list_, mail
        case ["mail", "fanout" | "retry" as kind, list_, mail, *_]:
            return kind, list_, mail
        case ["delivery", list_, mail, _]:
            return "delivery", list_, mail
        case ["membership" | "lists" | "seen" | "threads" as kind, list_, *_]:
            return kind, list_, ""
        case ["raw", mail, *_]:
            return "raw", "", mail
        case _:
            return words[0], "", ""


def _whole(stream: Stream) -> Place:
    return Place(stream.name, stream.subjects[0] if len(stream.subjects) == 1 else ">")
