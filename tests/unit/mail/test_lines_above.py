"""A list's lines above the text of a post: where they go, and which mail goes without."""

from __future__ import annotations

import base64
import email
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default

import pytest

from postroad.mail import wire
from tests.unit.mail.test_footer import MADE, decorated, leaf, parts_of, plain, sent

HEADER = "Team: $user_email\n> read on  "
ABOVE = b"Team: ann@example.net\r\n> read on"


def test_a_text_follows_the_header() -> None:
    """An empty line stands between; not an octet of the text changes, whatever its charset."""
    body = b"gr\xfcn \r\n.\r\n"
    data = plain(body, b"Content-Type: text/plain; charset=iso-8859-1\r\n")
    assert sent(data, "", HEADER) == data.replace(body, ABOVE + b"\r\n\r\n" + body)
    assert sent(data, "x", HEADER).endswith(ABOVE + b"\r\n\r\n" + body + b"\r\nx\r\n")


def test_a_header_does_not_flow_into_the_text() -> None:
    """RFC 3676: lines that begin as quoted text would are stuffed, none ends in a space."""
    data = plain(b"this flows \r\n", b"Content-Type: text/plain; format=flowed\r\n")
    above = ABOVE.replace(b"\r\n>", b"\r\n >") + b"\r\n\r\nthis flows \r\n"
    assert sent(data, "", HEADER).endswith(b"\r\n\r\n" + above)


def test_one_charset_serves_header_text_and_footer() -> None:
    """ASCII text is said to be UTF-8 where either needs it; another charset gets parts."""
    data = plain(b"Hello\r\n")
    read = BytesParser(EmailMessage, policy=default).parsebytes(sent(data, "fin", "Grüße"))
    assert read.get_content().splitlines() == ["Grüße", "", "Hello", "", "fin"]
    latin = plain(b"gr\xfcn\r\n", b"Content-Type: text/plain; charset=iso-8859-1\r\n")
    header, text, footer = parts_of(email.message_from_bytes(sent(latin, "fin", "Grüße")))
    assert leaf(header) == "Grüße".encode()
    assert leaf(text) == b"gr\xfcn\r\n"
    assert leaf(footer) == b"fin"


def test_a_mixed_mail_gets_a_first_part() -> None:
    """It stands before the author's first, behind what nobody shows."""
    mixed = b"Content-Type: multipart/mixed; boundary=b\r\n"
    body = b"preamble\r\n--b \r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n"
    made = sent(plain(body, mixed), header=HEADER)
    header, one, two, footer = parts_of(email.message_from_bytes(made))
    assert (leaf(header), leaf(one), leaf(two), leaf(footer)) == (ABOVE, b"one", b"two", MADE)
    assert b"\r\n\r\npreamble\r\n--b\r\n" in made
    alone = sent(plain(body, mixed), "", HEADER)
    assert alone.endswith(body.removeprefix(b"preamble\r\n"))


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (b"Content-Type: text/html; charset=utf-8\r\n", b"<p>gr\xc3\xbcn</p>\r\n"),
        (
            b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n",
            base64.encodebytes("grün\n".encode()),
        ),
        (
            b'Content-Type: text/html\r\nContent-Disposition: inline; filename="gr\xc3\xbcn"\r\n',
            b"x",
        ),
    ],
)
def test_anything_else_is_wrapped(content: bytes, body: bytes) -> None:
    """The author's octets become a part between the list's, with or without a footer; not an
    octet of its Content-* fields changes."""
    data = plain(body, content)
    for footer in ("", "fin"):
        made = sent(data, footer, HEADER)
        read = email.message_from_bytes(made)
        assert not read.defects
        parts = parts_of(read)
        assert len(parts) == (3 if footer else 2)
        assert leaf(parts[0]) == ABOVE
        inner = made.split(b"--" + read.get_boundary("").encode())[2]
        assert inner.removeprefix(b"\r\n").removesuffix(b"\r\n") == (
            content + b"\r\n" + wire.canonical(body)
        )


PGP = b"-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA256\r\n\r\nHello\r\n"


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (b"", PGP),
        (b"", b"Hello,\n" + PGP.replace(b"\r\n", b"\n")),
        (b"Content-Type: text/plain; charset=utf-8\r\n", PGP.replace(b"SIGNED ", b"")),
        (b"Content-Transfer-Encoding: quoted-printable\r\n", PGP),
        (b"Content-Transfer-Encoding: base64\r\n", base64.encodebytes(PGP)),
        (b"Content-Type: multipart/mixed; boundary=b\r\n", b"--b\r\n\r\n" + PGP + b"--b--\r\n"),
    ],
)
def test_signed_text_stays_as_it_is(content: bytes, body: bytes) -> None:
    """Where PGP stands in the text itself, nothing is put around it; a quotation is none."""
    assert decorated(plain(body, content), header=HEADER) is None
    assert decorated(plain(b"> " + PGP), header=HEADER) is not None
