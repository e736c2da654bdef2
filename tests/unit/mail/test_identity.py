"""The id of a mail."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.identity import body_digest, mail_id

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
