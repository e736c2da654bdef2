"""A mail wrapped into one of the list's."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.headers import scan
from postroad.mail.structure import read
from postroad.mail.wrapping import wrapped

MAIL = (
    "DKIM-Signature: v=1; d=bank.example\r\nFrom: Ann <ann@bank.example>\r\n"
    "To: team@example.org\r\n"
    "Subject: Tea\r\nMessage-ID: <1@bank.example>\r\nApproved: sesame\r\nX-Mailer: x\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\nGr\u00fc\u00dfe\r\n"
).encode()


def test_the_authors_mail_is_inside_as_it_was() -> None:
    """Octet for octet, but for what no member may see; outside is what readers sort by."""
    made, head = wrapped(MAIL, MAIL.index(b"\r\n\r\n") + 4)
    assert made[head:] == MAIL.replace(b"Approved: sesame\r\n", b"")
    outer = email.message_from_bytes(made, policy=email.policy.default)
    assert outer.get_content_type() == "message/rfc822"
    assert outer["Content-Transfer-Encoding"] == "8bit"
    assert (outer["Subject"], outer["Message-ID"]) == ("Tea", "<1@bank.example>")
    assert outer["X-Mailer"] is None
    assert outer["DKIM-Signature"] is None
    inner = outer.get_content()
    assert inner["X-Mailer"] == "x"


@given(st.binary(max_size=300))
def test_any_octets_can_be_wrapped(octets: bytes) -> None:
    """What is outside has no field but its own, and what is inside is a mail of the same facts."""
    for data in (octets, MAIL[:200] + octets):
        facts, body = scan(data)
        made, head = wrapped(data, body)
        assert scan(made)[0].content_type == "message/rfc822"
        assert scan(made)[1] == head
        assert made[:head].count(b"\r\n\r\n") == 1
        assert scan(made[head:])[0].subject == facts.subject


def test_real_mail_can_be_wrapped(corpora: Path) -> None:
    """And taken out again."""
    for path in (corpora / "mime4j").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            made, head = wrapped(data, scan(data)[1])
            assert made[head:].endswith(data[scan(data)[1] :])
            assert scan(made)[1] == head
    (inner,) = read(wrapped(MAIL, scan(MAIL)[1])[0]).parts
    assert inner.type == "text/plain"
