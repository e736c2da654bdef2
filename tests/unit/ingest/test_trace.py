"""The Received field that our sockets put on a mail."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.arrived import arrived
from postroad.mail.headers import scan
from postroad.mail.identity import body_digest
from services.ingest.trace import Hop, received, trace_of, traced
from tests.unit.ingest.smtpclient import spoken

AT = datetime(2026, 11, 21, 17, 42, 28, tzinfo=UTC)
ID = "0" * 31 + "1"
LINE = received(Hop("mx.example.net", "192.0.2.7"), "lists.example.org", ID, AT)


def test_it_says_from_whom_by_whom_how_and_when() -> None:
    """Name and address of the client, our name, the protocol, the id of the mail, and the time."""
    assert LINE == (
        b"Received: from mx.example.net ([192.0.2.7])\r\n"
        b"\tby lists.example.org with SMTP id 00000000000000000000000000000001;\r\n"
        b"\tSat, 21 Nov 2026 17:42:28 +0000\r\n"
    )
    assert arrived(LINE) == AT


@pytest.mark.parametrize(
    ("hop", "told"),
    [
        (Hop("mx.example.net", "2001:db8::1"), "mx.example.net ([IPv6:2001:db8::1])"),
        (Hop("[192.0.2.7]", "192.0.2.7"), "[192.0.2.7] ([192.0.2.7])"),
        (Hop("[10.0.0.1]", "192.0.2.7"), "[192.0.2.7] ([192.0.2.7])"),
        (Hop("mx\u00e4.example", "192.0.2.7"), "[192.0.2.7] ([192.0.2.7])"),
        (Hop("a b; Thu, 1 Jan 1970 (by me", "192.0.2.7"), "[192.0.2.7] ([192.0.2.7])"),
        (Hop("x" * 300, ""), "unknown"),
        (Hop("mx.example.net", "", protocol="LMTP"), "mx.example.net"),
        (Hop("annas-laptop", "192.0.2.7", login=True), "unknown"),
    ],
)
def test_only_what_is_a_name_is_repeated(hop: Hop, told: str) -> None:
    """Nothing else that a client says gets into our field, and of one that logged in nothing."""
    line = received(hop, "lists.example.org", ID, AT)
    assert line.startswith(f"Received: from {told}\r\n\tby ".encode())


MAIL = b"MAIL FROM:<ada@a.example>%b\r\nRCPT TO:<team@example.org>\r\nDATA\r\n"
TEXT = b"Subject: x\r\n\r\nHello.\r\n.\r\n"
LOGIN = b"AUTH PLAIN AGFkYQBzZWNyZXQ=\r\n"


@pytest.mark.parametrize(
    ("terms", "said", "parameters", "protocol"),
    [
        ({}, b"HELO mx\r\n", b"", "SMTP"),
        ({}, b"EHLO mx\r\n", b"", "ESMTP"),
        ({"secure": True}, b"EHLO mx\r\n", b"", "ESMTPS"),
        ({"local": True, "login": True}, b"EHLO mx\r\n" + LOGIN, b"", "ESMTPA"),
        ({"secure": True, "login": True}, b"EHLO mx\r\n" + LOGIN, b"", "ESMTPSA"),
        ({}, b"EHLO mx\r\n", b" SMTPUTF8", "UTF8SMTP"),
        ({"lmtp": True}, b"LHLO mx\r\n", b"", "LMTP"),
        ({"lmtp": True, "secure": True}, b"LHLO mx\r\n", b"", "LMTPS"),
        ({"lmtp": True}, b"LHLO mx\r\n", b" SMTPUTF8", "UTF8LMTP"),
    ],
)
def test_the_protocol_is_told(
    terms: dict[str, bool], said: bytes, parameters: bytes, protocol: str
) -> None:
    """By the names of RFC 3848 and RFC 6531: with TLS, with a login, with SMTPUTF8."""
    lines = [line + b"\r\n" for line in (said + MAIL % parameters).split(b"\r\n")[:-1]]
    _, ledger = spoken(*lines, TEXT, **terms)
    ((envelope, _),) = ledger.taken
    assert envelope.hop.protocol == protocol
    assert envelope.hop.address == ("" if terms.get("lmtp") else "192.0.2.7")
    assert envelope.hop.login == terms.get("login", False)


@given(st.one_of(st.binary(), st.sampled_from((b"From a b\r\n", b" on", b"\t", b"\n"))))
def test_the_mail_follows_as_it_was(data: bytes) -> None:
    """Every octet, in its order; its body is the same body, and our field the only one more."""
    for mail in (data, b"From ada  Mon Mar  2\nSubject: x\n\n" + data, b"Subject: x\r\n" + data):
        whole = traced(mail, LINE)
        assert whole.replace(LINE, b"", 1) in (mail, b"\r\n" + mail)
        assert trace_of(whole) == LINE
        before, head = scan(mail)
        after, below = scan(whole)
        assert after.received == before.received + 1
        assert body_digest(whole, below) == body_digest(mail, head)
        assert (after.from_, after.subject) == (before.from_, before.subject)
