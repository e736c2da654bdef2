"""When a mail came to the server that has it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.arrived import arrived, postmark

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "at"),
    [
        ("from a by b with ESMTP id 1; Wed, 4 Mar 2026 05:06:07 +0000", AT),
        ("from a by b; Wed, 04 Mar 2026 06:06:07 +0100 (CET)", AT),
        ("from a\r\n\tby b\r\n\tfor <x@y>; Wed,\r\n\t4 Mar 2026 00:06:07 -0500", AT),
        ("by b; 4 Mar 2026 05:06:07 GMT", AT),
        ("by b; Wed, 4 Mar 2026 05:06 +0000", AT.replace(second=0)),
        ("by b; Wed, 4 Mar 2026 05:06:60 +0000", AT.replace(second=59)),  # a leap second
        ("by b", None),
        ("by b; Wed, 44 Mar 2026 05:06:07 +0000", None),
        ("by b; Wed, 4 Mrz 2026 05:06:07 +0000", None),
        ("by b; Wed, 4 Mar 2026 05:06:07 +9959", None),
        ("by b; 1 Jan 0001 00:00:00 +0100", None),
        ("by b; 31 Dec 9999 23:59:59 -0100", None),
    ],
)
def test_the_topmost_received_tells(field: str, at: datetime | None) -> None:
    """Its date is the arrival; what is no date is none."""
    data = f"Return-Path: <a@b>\r\nReceived: {field}\r\nReceived: by a; 1 Jan 2020 00:00:00 Z\r\n"
    assert arrived(data.encode() + b"\r\nHi") == at


def test_a_mail_without_received_has_no_arrival() -> None:
    """Whatever its author says in Date."""
    assert (
        arrived(b"Date: Wed, 4 Mar 2026 05:06:07 +0000\r\n\r\nReceived: by b; 4 Mar 2026") is None
    )


def test_a_postmark_may_be_the_date() -> None:
    """Where there is no Received, so that the ids of such mails sort by time as well."""
    data = b"Subject: x\nDate: Wed, 4 Mar 2026 05:06:07 +0000\n\nHi"
    assert postmark(data) == AT
    assert postmark(b"Received: by b; 4 Mar 2026 05:06:07 Z\n" + data) == AT
    assert postmark(b"Date: soon\n\n") is None


@given(st.binary(max_size=300))
def test_any_bytes_will_do(data: bytes) -> None:
    """It never raises."""
    postmark(b"Received: x; " + data)
