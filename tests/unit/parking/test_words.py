"""What a parked message is, why it was parked, and whether it can be handled again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from postroad.cli.parking.letters import chosen
from postroad.cli.parking.words import Letter, hopeless, row, stage, trace, what, why
from postroad.runtime.clock import envelope
from postroad.runtime.errors import PostroadError, UsageError
from postroad.runtime.parked import PARK_KEEPS
from schemas import codec, subjects
from schemas.mail import RawRef
from schemas.road import MailUnrouted, Parked

MAIL = "0123456789abcdef" * 2
RAW = RawRef(mail_id=MAIL, chunks=1, size=1, sha256="", head=0)
SOUND = codec.encode(
    envelope([MailUnrouted(mail_id=MAIL, raw=RAW, reason="")], correlation=MAIL, actor="")
)
LISTS = {"team": "team@example.org"}
PARKED = Parked(
    stream="ROUTED",
    seq=7,
    subject=subjects.routed("post", "team", MAIL),
    durable="fanout",
    reason="KeyError",
    family="bug",
    trace='Traceback:\n  File "/a/b/services/membership/fanout.py", line 7, in run\n    x\n'
    "KeyError: 'ann@example.net'\n",
    attempts=3,
    data=SOUND,
)


def letter(seq: int = 12, **changed: Any) -> Letter:
    """A parked message."""
    parked = msgspec.structs.replace(PARKED, **changed)
    return Letter(
        seq=seq,
        id=f"{seq:032x}",
        subject=subjects.deadletter(parked.durable, parked.stream, parked.seq),
        at=datetime(2026, 11, 22, tzinfo=UTC),
        last=seq,
        before=((3, "ab" * 16),),
        parked=parked,
    )


@pytest.mark.parametrize(
    ("subject", "told"),
    [
        (subjects.received("box", MAIL), "mail 0123456789abcdef from source box"),
        (subjects.routed("post", "team", MAIL), "post 0123456789abcdef at team@example.org"),
        (subjects.routed("bounce", "none", MAIL), "bounce 0123456789abcdef"),
        (
            subjects.send("now", "team", MAIL, "3"),
            "0 copies of 0123456789abcdef at team@example.org (chunk 3)",
        ),
        ("whatever", "ROUTED 7"),
    ],
)
def test_it_is_told_in_plain_words(subject: str, told: str) -> None:
    """Which mail, which list; nobody need know what a subject is."""
    assert what(letter(subject=subject), LISTS) == told


def test_a_bug_has_its_place_in_the_code_and_no_address() -> None:
    """The texts of exceptions may hold addresses: they are masked, the place stays."""
    assert why(letter()) == "KeyError in services/membership/fanout.py:7"
    assert "ann@" not in trace(PARKED)
    assert "line 7, in run" in trace(PARKED)


def test_the_service_is_the_one_that_takes_what_the_consumer_brings() -> None:
    """A person knows services; each durable belongs to one."""
    assert [stage(letter(durable=each.name)) for each in subjects.DURABLES] == [
        "router",
        "router",
        "membership",
        "membership",
        "membership",
        "sender",
        "sender",
    ]
    assert row(letter(durable="pigeon"), LISTS).stage == ""


@pytest.mark.parametrize(
    ("parked", "lying", "there", "told"),
    [
        ({}, SOUND, True, ""),
        ({}, None, True, ""),  # as it was parked
        ({"data": b"x" * PARK_KEEPS}, None, True, "too large"),
        ({"data": b"x" * PARK_KEEPS}, SOUND, True, ""),
        ({}, SOUND, False, "the mail it is of is deleted"),
        ({}, b"garbage", True, "is no event"),
        ({}, SOUND.replace(b"mail_unrouted", b"mail_flown"), True, "of a newer release"),
        ({"durable": "pigeon"}, SOUND, True, "no service takes"),
    ],
)
def test_what_cannot_be_requeued_is_said_with_the_reason(
    parked: dict[str, Any], lying: bytes | None, there: bool, told: str
) -> None:
    """Whatever would be parked again for certain is not sent round in vain."""
    said = hopeless(letter(**parked), lying=lying, mail_there=there)
    assert told in said if told else said == ""


def test_it_is_found_by_number_and_id_of_old_too() -> None:
    """What was parked again lies under a new number; those it had mean it still."""
    found = [letter(), msgspec.structs.replace(letter(20), before=())]
    for word in ("12", "3", "abab" * 8, "ababab", f"{12:032x}"):
        assert [each.seq for each in chosen(found, [word])] == [12]
    assert [each.seq for each in chosen(found, ["20", "12", "3"])] == [20, 12]
    with pytest.raises(UsageError, match="is no parked message"):
        chosen(found, ["everything"])
    with pytest.raises(PostroadError, match="nothing is parked under 99"):
        chosen(found, ["99"])
    with pytest.raises(PostroadError, match="means 2"):
        chosen(found, ["000000"])
