"""The codec: what any release wrote, every later release reads."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec
import pytest

from postroad.runtime.stored import Stored
from schemas import codec
from schemas.envelope import Envelope, Event
from schemas.membership import MemberSubscribed, MemberUnsubscribed
from schemas.road import Parked

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def stored(*events: dict[str, object]) -> bytes:
    """An envelope on the wire with these events as plain data."""
    return msgspec.json.encode(
        {"id": "0" * 32, "ts": "2026-01-01T00:00:00Z", "correlation": "c", "events": events}
    )


def envelope(*events: Event) -> Envelope:
    """An envelope with these events."""
    return Envelope(id="0" * 32, ts=NOW, correlation="c", events=events)


def test_an_envelope_reads_back_as_it_was_written() -> None:
    """Decoding what was encoded gives the same envelope, with all its events in order."""
    written = envelope(MemberUnsubscribed(role="member"), MemberSubscribed(role="owner"))
    read = codec.decode(codec.encode(written))
    assert msgspec.structs.asdict(read) == msgspec.structs.asdict(written)


def test_bytes_inside_an_event_survive() -> None:
    """A parked message keeps its bytes exactly, whatever they are."""
    parked = Parked(
        stream="SEND",
        seq=7,
        subject="mail.send.now.team.m.0",
        durable="sender-now",
        reason="no event",
        family="reject",
        data=bytes(range(256)),
    )
    assert codec.decode(codec.encode(envelope(parked))).events == (parked,)


def test_a_field_added_by_a_newer_release_is_ignored() -> None:
    """Adding a field needs no new version: an older release reads past it."""
    data = stored({"t": "member_subscribed", "role": "owner", "hat_size": 7})
    assert codec.decode(data).events == (MemberSubscribed(role="owner"),)


def test_an_unknown_event_is_named() -> None:
    """An event of a newer release is refused by name, never taken for something else."""
    with pytest.raises(codec.UnknownEvent, match="'member_levitated' version 1"):
        codec.decode(stored({"t": "member_levitated"}))


def test_an_unknown_version_is_named() -> None:
    """A known event in a version of a newer release is refused, even where it would decode."""
    with pytest.raises(codec.UnknownEvent, match="'member_subscribed' version 99"):
        codec.decode(stored({"t": "member_subscribed", "v": 99, "role": "owner"}))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"{}",
        stored({}),
        stored({"t": 7}),
        stored({"t": ["member_subscribed"]}),
        stored({"t": "member_subscribed", "role": "emperor"}),
        b'{"events": 7}',
        b'{"events": ["member_subscribed"]}',
    ],
)
def test_what_is_no_envelope_is_one_kind_of_error(data: bytes) -> None:
    """Bytes that are no event of ours raise UnknownEvent and nothing else."""
    with pytest.raises(codec.UnknownEvent):
        codec.decode(data)


def test_an_older_version_is_brought_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of older versions pass through every upcaster between them and today, in order."""
    subscribed: type[Event] = MemberSubscribed
    monkeypatch.setitem(codec._CURRENT, subscribed, 3)
    monkeypatch.setitem(
        codec.UPCASTERS,
        ("member_subscribed", 1),
        lambda old: {**old, "v": 2, "how": old.get("via", "")},
    )
    monkeypatch.setitem(
        codec.UPCASTERS,
        ("member_subscribed", 2),
        lambda old: {**old, "v": 3, "how": old["how"].upper()},
    )
    oldest = stored({"t": "member_subscribed", "via": "web"}, {"t": "member_unsubscribed"})
    assert codec.decode(oldest).events == (
        MemberSubscribed(v=3, how="WEB"),
        MemberUnsubscribed(),
    )
    middle = stored({"t": "member_subscribed", "v": 2, "how": "web"})
    assert codec.decode(middle).events == (MemberSubscribed(v=3, how="WEB"),)


def test_a_renamed_event_is_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event whose name went away lives on through its upcaster."""
    monkeypatch.setitem(
        codec.UPCASTERS, ("member_joined", 1), lambda old: {**old, "t": "member_subscribed"}
    )
    assert codec.decode(stored({"t": "member_joined"})).events == (MemberSubscribed(),)


def test_tags_are_unique_and_plain() -> None:
    """Every event type has its own tag, in words and underscores: it is a file name as well."""
    tags = [str(type_.__struct_config__.tag) for type_ in codec.EVENTS]
    assert len(set(tags)) == len(tags)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", tag) for tag in tags)


def test_every_event_defined_in_schemas_is_known_to_the_codec() -> None:
    """An event nobody can decode must not exist."""

    def family(of: type[Event]) -> set[type[Event]]:
        return {of}.union(*(family(sub) for sub in of.__subclasses__()))

    defined = {
        type_ for type_ in family(Event) if type_ is not Event and "schemas" in type_.__module__
    }
    assert defined == set(codec.EVENTS)


@pytest.mark.parametrize("data", [b"", b'{"id": "', b"[]", b"7", b'{"events": 7}', b"\xff"])
def test_garbage_is_no_event_of_a_newer_release(data: bytes) -> None:
    """What cannot be decoded at all is told apart from what another release wrote, and a message
    that was looked up for another is the one that is named."""
    with pytest.raises(codec.Garbage, match="cannot be decoded"):
        codec.decode(data)
    with pytest.raises(codec.Garbage, match="message 7 of ROUTED: cannot"):
        Stored("mail.routed.post.l.m", 7, data).envelope()


def test_what_a_newer_release_wrote_is_no_garbage() -> None:
    """A type or a version that is not known here is an envelope all the same."""
    with pytest.raises(codec.UnknownEvent) as newer:
        codec.decode(stored({"t": "member_levitated"}))
    assert not isinstance(newer.value, codec.Garbage)
