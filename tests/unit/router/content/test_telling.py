"""A password is found wherever a mail tells it, and nowhere else."""

from __future__ import annotations

import base64
import binascii
import quopri
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.structure import Unreadable
from services.router.content.approvalline import STAYS, without_approval
from services.router.content.job import SECONDS
from services.router.content.telling import tells
from tests.unit.router.content.mime import EXE, PDF, TEXT, Part, mail, multipart

SECRET = "Kreuz & Quer 7"
OCTETS = SECRET.encode()
BASE64 = base64.encodebytes(b"x" + OCTETS)
UU = b"begin 644 notes.txt\r\n" + binascii.b2a_uu(OCTETS) + b"`\r\nend\r\n"
WHOLE = mail(multipart("mixed", TEXT, PDF, EXE))
IN_A_FIELD = [
    f"Subject: my {SECRET}",
    "Subject: my\r\n Kreuz &\r\n Quer 7",
    f"Subject: =?utf-8?b?{base64.b64encode(OCTETS).decode()}?=",
    "Subject: =?utf-8?q?Kreuz_?= =?iso-8859-1?q?=26_Quer_7?=",
    f'From: "{SECRET}" <ann@example.org>',
    f"X-Note: {SECRET}",
    "X-Note: a; b*0*=utf-8''Kreuz%20%26; b*1=\" Quer 7\"",
    f"Comment: Approved: {SECRET}",
]
IN_A_PART = {
    "quoted": Part("text/plain", f"Hi\r\n> Approved: {SECRET}\r\n".encode()),
    "quoted over two lines": Part("text/plain", b"Hi\r\n> > Kreuz &\r\n> > Quer 7\r\n"),
    "html": Part("text/html", b"<p>Kreuz <b>&amp; Qu</b>er&nbsp;7<br>"),
    "html attribute": Part("text/html", b'<a title="Kreuz &amp; Quer 7">x</a>'),
    "html comment": Part("text/html", f"<!-- {SECRET} -->".encode()),
    "utf-16": Part("text/plain; charset=utf-16", SECRET.encode("utf-16")),
    "a part's header": Part(f"text/plain\r\nContent-Description: {SECRET}"),
    "file name": Part("text/x", name=SECRET),
    "encoded file name": Part("text/x; name*=utf-8''Kreuz%20%26%20Quer%207"),
    "attached": Part("message/rfc822", f"Approved: {SECRET}\r\n\r\nHi\r\n".encode()),
    "attached, encoded": Part(
        "message/rfc822\r\nContent-Transfer-Encoding: base64",
        base64.encodebytes(b"Subject: =?utf-8?b?" + base64.b64encode(OCTETS) + b"?=\r\n\r\nHi\r\n"),
    ),
    "base64": Part("image/png\r\nContent-Transfer-Encoding: base64", BASE64),
    "quoted-printable": Part(
        "text/plain\r\nContent-Transfer-Encoding: quoted-printable",
        quopri.encodestring(b"=" * 70 + OCTETS),
    ),
    "uuencoded": Part("text/plain", b"See:\r\n" + UU),
}


@pytest.mark.parametrize("field", IN_A_FIELD)
def test_a_field_tells_it(field: str) -> None:
    """Whatever it is called, folded or encoded; so the mail waits that gives it as a field."""
    data = f"{field}\r\n".encode() + WHOLE
    assert tells(data, [SECRET])
    assert without_approval(f"Approved: {SECRET}\r\n".encode() + data).held == STAYS


@pytest.mark.parametrize("part", IN_A_PART.values(), ids=IN_A_PART)
def test_a_part_tells_it(part: Part) -> None:
    """In its text, header or name, in whatever encoding."""
    data = mail(multipart("mixed", TEXT, part, PDF))
    assert tells(data, ["another donkey", SECRET])
    assert without_approval(f"X-Approve: {SECRET}\r\n".encode() + data).held == STAYS


@pytest.mark.parametrize("line", [b"--=_0\r\n", b"--=_0--\r\n"])
def test_it_stands_before_or_behind_all_parts(line: bytes) -> None:
    """Nobody is shown that, and everybody gets it."""
    around = line + OCTETS + b"\r\n" if line.endswith(b"--\r\n") else OCTETS + b"\r\n" + line
    assert tells(WHOLE.replace(line, around, 1), [SECRET])


@pytest.mark.parametrize("name", ["Approved", "approve", "X-Approved", "X-Approve", "Bcc"])
def test_a_field_that_no_copy_has_tells_nobody(name: str) -> None:
    """A mail that gives its password as it should goes out as it is."""
    data = f"Approved: {SECRET}\r\n{name}: {SECRET}\r\n".encode() + WHOLE
    left = without_approval(data)
    assert (left.held, left.pieces) == ("", ())


def test_text_and_html_are_rid_of_what_a_field_gives() -> None:
    """A mail program may have written it there as well."""
    html = Part("text/html", b"<p>Approved: Kreuz &amp; Quer 7<br>Hi")
    data = mail(multipart("alternative", Part("text/plain", f"Approved: {SECRET}".encode()), html))
    left = without_approval(f"Approved: {SECRET}\r\n".encode() + data)
    assert left.held == ""
    assert left.pieces


def test_a_word_too_short_for_a_password_is_none() -> None:
    """Gateways write `Approved: yes`, and people write that word."""
    assert without_approval(b"Approved: yes\r\n" + mail(Part("text/plain", b"yes"))).held == ""


@given(st.binary(max_size=300), st.text(min_size=1, max_size=12))
def test_any_octets_have_an_answer(octets: bytes, secret: str) -> None:
    """Found where it stands, whatever is around it; not read is not known."""
    for data in (octets, mail(multipart("mixed", Part("text/html", octets), TEXT))):
        try:
            tells(data, [secret])
        except Unreadable:
            continue
    assert tells(mail(Part("text/plain", octets + secret.encode("utf-8", "replace"))), [secret])


def test_large_mail_is_looked_through_in_time() -> None:
    """MBs of base64, of uuencoded files, of HTML: within what a worker may take."""
    for part in (
        Part("image/png\r\nContent-Transfer-Encoding: base64", BASE64[:20] * 500_000),
        Part("text/plain", (b"begin 644 x\r\n" + binascii.b2a_uu(b"x" * 45) * 20) * 5_000),
        Part("text/html", b"<p>Grand old Duke<br>\r\n" * 50_000),
    ):
        began = time.process_time()
        assert not tells(mail(part), ["another donkey"])
        assert time.process_time() - began < SECONDS
