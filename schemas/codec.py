"""Bytes to envelopes and back.

JSON on the wire. The usual path is one msgspec decode; only where that fails is the message
read as plain data, carried through the upcasters and converted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Union

import msgspec

from schemas import lists, membership, parking, pending, people, road
from schemas.envelope import Envelope, Event

EVENTS: tuple[type[Event], ...] = (
    road.MailReceived,
    road.MailRefused,
    road.PostRouted,
    road.OwnerMailRouted,
    road.CommandRouted,
    road.BounceRouted,
    road.MailStopped,
    road.HeldAccepted,
    road.MailUnrouted,
    road.CommandDone,
    road.ProbeQueued,
    road.FanoutDone,
    road.ChunkQueued,
    road.FanoutProgressed,
    road.WindowRecorded,
    road.Parked,
    parking.ParkedResolved,
    lists.ListCreated,
    lists.ListConfigured,
    lists.ListLetterSet,
    lists.ListClosed,
    membership.MemberSubscribed,
    membership.MemberUnsubscribed,
    membership.MemberChanged,
    membership.MemberMoved,
    membership.MemberBounced,
    membership.MemberProbed,
    membership.MemberWarned,
    people.PersonKnown,
    people.PersonErased,
    people.AddressDropped,
    pending.ConfirmationAsked,
    pending.ConfirmationUsed,
    pending.ConfirmationWithdrawn,
    pending.Contacted,
    pending.FailuresTold,
    pending.VerdictAsked,
    pending.HeldTold,
    pending.BouncesRead,
    pending.RemovalDue,
    pending.RequestMade,
    pending.RequestDecided,
)

# (type tag, version) -> the same event one version up, as plain data.
UPCASTERS: dict[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {}


class UnknownEvent(Exception):
    """The message is no envelope, or holds an event type or version this release does not know."""


class Garbage(UnknownEvent):
    """The message is no envelope of any release."""


class _Wire(Envelope, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The envelope as decoded: its events as one tagged union."""

    if not TYPE_CHECKING:
        events: tuple[Union[EVENTS], ...] = ()  # noqa: UP007


_decoder = msgspec.json.Decoder(_Wire)
_encoder = msgspec.json.Encoder()


def encode(envelope: Envelope) -> bytes:
    """The envelope as JSON."""
    return _encoder.encode(envelope)


def decode(data: bytes) -> Envelope:
    """The envelope in `data`, with events of older versions brought up to date.

    Raises UnknownEvent where it is from a newer release, Garbage where it is none at all.
    """
    try:
        envelope = _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        return _decode_older(data, error)
    for event in envelope.events:
        if event.v != _CURRENT.get(type(event), 1):
            return _decode_older(data, None)
    return envelope


_CURRENT: dict[type[Event], int] = {}  # types whose current version is not 1


def _decode_older(data: bytes, error: Exception | None) -> Envelope:
    try:
        plain = _plain(data)
        plain["events"] = [_upcast(event) for event in plain.get("events", [])]
        return msgspec.convert(plain, _Wire)
    except UnknownEvent:
        raise
    except (msgspec.MsgspecError, AttributeError, TypeError, KeyError, RecursionError) as bad:
        raise UnknownEvent(f"not an event of this release: {error or bad}") from bad


def _plain(data: bytes) -> dict[str, Any]:
    try:
        plain = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Garbage(f"cannot be decoded: {error}") from error
    if not isinstance(plain, dict) or not isinstance(plain.get("events", []), list):
        raise Garbage("cannot be decoded: no envelope")
    return plain


def _upcast(event: dict[str, Any]) -> dict[str, Any]:
    while (upcaster := UPCASTERS.get((event["t"], event.get("v", 1)))) is not None:
        event = upcaster(event)
    known = _BY_TAG.get(event["t"])
    if known is None or event.get("v", 1) != _CURRENT.get(known, 1):
        raise UnknownEvent(f"event {event['t']!r} version {event.get('v', 1)} is not known here")
    return event


_BY_TAG: dict[str, type[Event]] = {str(type_.__struct_config__.tag): type_ for type_ in EVENTS}
