"""A message as plain data, with people as ids: addresses only where they are asked for.

What is not of this release, or no event, is shown as what it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from postroad.runtime.stored import Stored
from projections.masking import masked
from schemas import codec
from schemas.envelope import Envelope
from schemas.spans import SpanBatch

SECRETS = frozenset({"token"})  # lets whoever has it answer for somebody; nobody is shown one
NAMES = frozenset({"name", "display_name", "author_name"})
KEPT = frozenset(  # what has the sign of an address and is none, or is of the list
    {"message_id", "in_reply_to", "references", "list_address", "list_ids", "list_posts"}
)
MOST = 2_000  # octets of what is no event

_spans = msgspec.json.Decoder(SpanBatch)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it is shown. `unknown` says why it has no events."""

    stream: str
    seq: int
    subject: str
    time: str
    id: str = ""
    correlation: str = ""
    causation: str = ""
    actor: str = ""
    events: Sequence[Mapping[str, Any]] = ()
    octets: int = 0
    unknown: str = ""
    data: str = ""


def message(stream: str, stored: Stored, *, addresses: bool = False) -> Message:
    """What this message says; with `addresses` also who it names."""
    about: dict[str, Any] = {
        "stream": stream,
        "seq": stored.seq,
        "subject": stored.subject,
        "time": stored.time.isoformat(timespec="milliseconds"),
        "octets": len(stored.data),
    }
    if stream == "RAW":
        told = safe(stored.data) if addresses else ""
        return Message(**about, unknown="octets of a mail", data=told)
    try:
        envelope = stored.envelope()
    except codec.UnknownEvent as unknown:
        return _other(about, stored.data, unknown, addresses=addresses)
    return Message(
        **about,
        id=envelope.id,
        correlation=envelope.correlation,
        causation=envelope.causation,
        actor=envelope.actor,
        events=_events(envelope, addresses=addresses),
    )


def _events(envelope: Envelope, *, addresses: bool) -> list[Mapping[str, Any]]:
    found = []
    for event in envelope.events:
        told = msgspec.to_builtins(event)
        whole = getattr(event, "data", None)
        if isinstance(whole, bytes) and not addresses:  # of a parked message
            told["data"] = f"({len(whole):,} octets)"
        found.append(_hidden(told, "", addresses=addresses))
    return found


def _other(
    about: Mapping[str, Any], data: bytes, unknown: Exception, *, addresses: bool
) -> Message:
    if about["stream"] == "SPANS":
        with contextlib.suppress(msgspec.MsgspecError):
            batch = _spans.decode(data)
            return Message(**about, events=[{"t": "spans", **msgspec.to_builtins(batch)}])
    try:
        plain = msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        plain = None
    if isinstance(plain, dict):
        hidden = _hidden(plain, "", addresses=addresses)
        inner = hidden.get("events")  # of a newer release
        whole = isinstance(inner, list) and all(isinstance(each, dict) for each in inner)
        return Message(**about, events=inner if whole else [hidden], unknown=_why(plain))
    told = safe(data)
    return Message(**about, unknown=str(unknown), data=told if addresses else masked(told))


def _why(plain: Mapping[str, Any]) -> str:
    """Why there is no event in it: of another release, or something else that is ours."""
    if "events" in plain:
        return "not an event of this release"
    return "" if "type" in plain else "no event"


def _hidden(value: Any, key: str, *, addresses: bool) -> Any:
    if key in SECRETS and value:
        return "(token)"
    match value:
        case {"op": _, "name": _}:  # a change to a header: it names lists, and nobody
            return value
        case dict():
            return {
                _text(str(name), "", addresses): _hidden(each, str(name), addresses=addresses)
                for name, each in value.items()
            }
        case list() | tuple():
            return [_hidden(each, key, addresses=addresses) for each in value]
        case str():
            return _text(value, key, addresses)
        case _:
            return value


def _text(value: str, key: str, addresses: bool) -> str:
    if addresses or key in KEPT or not value:
        return value
    return "(name)" if key in NAMES else masked(value)


def safe(data: bytes, most: int = MOST) -> str:
    """Octets as text that a terminal shows and does not obey; at most so many."""
    text = data[:most].decode(errors="backslashreplace")
    told = "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text)
    left = len(data) - most
    return f"{told}\n... and {left:,} octets more" if left > 0 else told


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
