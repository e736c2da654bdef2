"""The id of a mail."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.identity import body_digest, content_name, mail_id, named_id

ARRIVED = 1_704_067_200_000


def test_same_place_gives_same_id() -> None:
    """Reading a mail twice gives the same id, so it is published once."""
    assert mail_id("a", "INBOX", 1, 2, ARRIVED, 3) == mail_id("a", "INBOX", 1, 2, ARRIVED, 3)


def test_every_argument_counts() -> None:
    """Another source, folder, UIDVALIDITY, UID, arrival or size is another mail."""
    ids = {
        mail_id("a", "INBOX", 1, 2, ARRIVED, 3),
        mail_id("b", "INBOX", 1, 2, ARRIVED, 3),
        mail_id("a", "Inbox", 1, 2, ARRIVED, 3),
        mail_id("a", "INBOX", 12, 2, ARRIVED, 3),
        mail_id("a", "INBOX", 1, 22, ARRIVED, 3),
        mail_id("a", "INBOX", 1, 2, ARRIVED + 1, 3),
        mail_id("a", "INBOX", 1, 2, ARRIVED, 33),
        mail_id("a", "INBOX1", 1, 2, ARRIVED, 3),
    }
    assert len(ids) == 8


def test_id_is_a_uuid_of_its_arrival() -> None:
    """RFC 9562: version 7, the arrival in its first 48 bits, so that ids sort by time."""
    made = uuid.UUID(mail_id("a", "INBOX", 1, 2, ARRIVED, 3))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == ARRIVED
    assert mail_id("z", "", 9, 9, ARRIVED, 9) < mail_id("a", "", 1, 1, ARRIVED + 1, 1)


def test_id_is_a_trace_id_whatever_the_clock_said() -> None:
    """32 hex digits, never all zero, also for arrivals before 1970 or after the year 9999."""
    for arrived in (0, -1, 1 << 60):
        made = mail_id("a", "", 0, 0, arrived, 0)
        assert len(made) == 32
        assert int(made, 16)


@given(st.binary(max_size=50), st.sampled_from([b"\r\n", b"\n", b"\r"]))
def test_copies_of_a_mail_have_one_digest(noise: bytes, end: bytes) -> None:
    """However their lines end and whatever header they got on their way, copies are the same;
    another word makes another mail."""
    body = noise.replace(b"\r", b"").replace(b"\n", b"")
    lines = [b"Anyone?", body, b"Ann"]
    here = body_digest(b"A: b\r\n\r\n" + b"\r\n".join(lines) + b"\r\n", 8)
    assert body_digest(b"C: other\n\n" + end.join(lines), 10) == here
    assert body_digest(b"\r\n" + b"\r\n".join([*lines, b"!"]), 2) != here


def test_a_mail_without_body_has_a_digest() -> None:
    """Nothing is the same as nothing."""
    assert body_digest(b"A: b\r\n", 6) == body_digest(b"", 0)


def test_a_mail_with_a_name_has_one_id() -> None:
    """Source, folder and name tell it from every other, and its arrival stands in front."""
    at = datetime(2026, 3, 4, tzinfo=UTC)
    ids = {
        named_id("a", "INBOX", "x", at),
        named_id("b", "INBOX", "x", at),
        named_id("a", "Lists", "x", at),
        named_id("a", "INBOX", "y", at),
    }
    assert len(ids) == 4
    assert named_id("a", "INBOX", "x", at) in ids
    assert uuid.UUID(named_id("a", "INBOX", "x", at)).version == 7
    assert {int(id_[:12], 16) for id_ in ids} == {int(at.timestamp() * 1000)}
    assert named_id("a", "", "x", None).startswith("0" * 12)


def test_what_is_handed_over_again_has_the_same_name() -> None:
    """The order of the recipients says nothing; another byte, sender or recipient does."""
    once = content_name(b"mail", "ann@example.org", ("a@b.org", "c@b.org"))
    assert once == content_name(b"mail", "ann@example.org", ("c@b.org", "a@b.org"))
    others = {
        content_name(b"mai1", "ann@example.org", ("a@b.org", "c@b.org")),
        content_name(b"mail", "", ("a@b.org", "c@b.org")),
        content_name(b"mail", None, ("a@b.org", "c@b.org")),
        content_name(b"mail", "ann@example.org", ("a@b.org",)),
    }
    assert len(others | {once}) == 5
