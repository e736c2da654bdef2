"""Messages as they are shown: people are ids, and a terminal obeys nothing."""

from __future__ import annotations

import msgspec
import pytest

from postroad.cli.streams.plain import Message, message, safe
from postroad.cli.streams.saying import line
from postroad.runtime.clock import envelope
from postroad.runtime.stored import Stored
from schemas import codec, subjects
from schemas.envelope import Event
from schemas.mail import HeaderFacts, Mailbox, RawRef
from schemas.people import PersonKnown
from schemas.road import (
    ChunkQueued,
    CommandRouted,
    Copy,
    Intent,
    MailReceived,
    Origin,
    Parked,
    WindowRecorded,
)

ANN, TOKEN, MAIL = "ann@example.net", "sesame7opens", "0" * 32
RAW = RawRef(mail_id=MAIL, chunks=1, size=1, sha256="", head=0)
FACTS = HeaderFacts(from_=(Mailbox(address=ANN, name="Ann Smith"),), subject=f"from {ANN}")
EVENTS: tuple[Event, ...] = (
    PersonKnown(person="p1", address=ANN, display_name="Ann Smith"),
    MailReceived(
        mail_id=MAIL, origin=Origin(source="box"), raw=RAW, facts=FACTS, envelope_to=(ANN,)
    ),
    ChunkQueued(
        mail_id=MAIL,
        list="team",
        chunk="0",
        people=("p1",),
        addresses=(ANN,),
        copy=Copy(raw=RAW, list="team", list_address="team@x.org", bounces=("", ""), post=1),
    ),
    CommandRouted(mail_id=MAIL, list="team", command="confirm", token=TOKEN, raw=RAW),
    Parked(
        stream="SEND",
        seq=1,
        subject="mail.send.now.team.m.0",
        durable="sender-now",
        reason=f"about {ANN}",
        family="bug",
        trace=f"KeyError: {ANN}",
        data=f"to {ANN}".encode(),
    ),
)


def shown(stream: str, data: bytes, *, addresses: bool = False) -> Message:
    """What is shown of these octets in a stream."""
    stored = Stored(f"{stream.lower()}.x", 7, data, ts="2026-11-22T03:00:00.123456789Z")
    return message(stream, stored, addresses=addresses)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_nobody_is_shown_unless_asked_for(event: Event) -> None:
    """No address, name or token of anybody stands in a document or a line, nor encoded in one;
    asked for, addresses do, and tokens do not."""
    data = codec.encode(envelope([event], correlation=MAIL, actor="operator"))
    told = shown("ANY", data)
    text = msgspec.json.encode(told).decode() + line(told)
    encoded = msgspec.json.encode(f"to {ANN}".encode()).decode().strip('"')
    for secret in (ANN, "Smith", TOKEN, encoded):
        assert secret not in text
    asked = msgspec.json.encode(shown("ANY", data, addresses=True)).decode()
    assert TOKEN not in asked
    assert isinstance(event, CommandRouted | Parked) or ANN in asked


def test_what_is_of_a_newer_release_is_shown_as_such() -> None:
    """An event that is not known here still tells what it can, without addresses."""
    data = b'{"id":"x","ts":"2026-11-22T03:00:00Z","events":[{"t":"flown","by":"ann@example.net"}]}'
    told = shown("ROUTED", data)
    assert told.unknown == "not an event of this release"
    assert "flown" in line(told)
    assert ANN not in msgspec.json.encode(told).decode()


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"\x1b[31mred\x1b]0;x\x07", b"[1, 2", b"7"])
def test_what_is_no_event_is_shown_and_not_obeyed(data: bytes) -> None:
    """Whatever octets lie in a stream: a line without control characters says what they are."""
    for stream in ("ROUTED", "RAW", "SPANS", "KV_CHECKPOINTS"):
        told = shown(stream, data)
        assert (line(told) + told.data.replace("\n", "")).isprintable()


def test_octets_are_cut_where_there_are_many() -> None:
    """A terminal is not flooded, and says how much there is."""
    assert safe(b"a" * 5_000, 10) == "a" * 10 + "\n... and 4,990 octets more"


def test_a_person_is_found_among_many() -> None:
    """Whoever asks about somebody sees where in a chunk and in a window they stand, and their
    address only where addresses are asked for."""
    queued = msgspec.structs.replace(
        EVENTS[2], people=("p0", "p1"), addresses=("bob@example.net", ANN)
    )
    intent = Intent(start=0, end=2, people=("p0", "p1"))
    window = WindowRecorded(mail_id=MAIL, list="team", chunk="0", people=(), intent=intent)
    data = codec.encode(envelope([queued, window], correlation=MAIL))
    told = line(shown("SEND", data), "p1")
    assert told.count("people: 2 (at 2: p1)") == 2
    assert f"addresses: 2 (at 2: {ANN})" in line(shown("SEND", data, addresses=True), "p1")
    assert ANN not in told
    assert "at 2" not in line(shown("SEND", data), "p7")


def test_a_line_names_place_list_and_mail() -> None:
    """Whoever reads along sees when, where, of which list and mail, and what."""
    data = codec.encode(envelope([EVENTS[2]], correlation=MAIL))
    stored = Stored(subjects.send("now", "team", MAIL, "0"), 7, data, ts="2026-11-22T03:00:00.5Z")
    told = line(message("SEND", stored))
    assert told.startswith("2026-11-22 03:00:00.500  SEND 7 ")
    assert "team 000000000000000000000000  chunk queued: chunk=0, people: 1" in told
