"""The parts of a mail, whatever its bytes are."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.parts import BODY_OCTETS, PARTS, content_type, first_text, parts, words_of


def mail(*lines: str, end: str = "\r\n") -> bytes:
    """A mail of these lines."""
    return end.join(lines).encode("utf-8", "surrogateescape")


TWO = (
    "MIME-Version: 1.0",
    'Content-Type: multipart/mixed; boundary="a b"',
    "",
    "preamble",
    "--a b",
    "",
    "Hello,",
    "--a b no boundary",
    "--a b\t ",
    "Content-Type: text/html; charset=utf-8",
    "",
    "<p>Hi</p>",
    "--a b--",
    "epilogue",
)


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_a_multipart_is_cut_at_its_delimiters(end: str) -> None:
    """Preamble and epilogue are no parts, the line end before a delimiter is not the part's, and
    a line that only begins like a delimiter is none."""
    found = list(parts(mail(*TWO, end=end)))
    assert [part.type for part in found] == ["text/plain", "text/html"]
    assert found[0].text == "Hello,\n--a b no boundary"
    assert found[1].body == b"<p>Hi</p>"
    assert found[1].fields["content-type"] == "text/html; charset=utf-8"


def test_a_number_of_no_character_is_some_character() -> None:
    """However long it is; Python makes no number of more than 4,300 digits."""
    assert words_of("a&#" + "9" * 5_000 + ";b&#00000000065;&#x41;") == "a\ufffdbAA"


@pytest.mark.parametrize("kept", range(5, len(TWO)))
def test_a_multipart_without_end_goes_on_to_the_end_of_the_mail(kept: int) -> None:
    """A mail cut off anywhere still gives what is there."""
    assert first_text(mail(*TWO[:kept])).startswith("Hello" if kept > 6 else "")


def test_an_outer_delimiter_ends_what_is_inside() -> None:
    """An inner multipart whose end is missing does not swallow the outer one's next part."""
    nested = mail(
        "Content-Type: multipart/mixed; boundary=out",
        "",
        "--out",
        "Content-Type: multipart/alternative; boundary=in",
        "",
        "--in",
        "",
        "one",
        "--out",
        "",
        "two",
        "--out--",
    )
    assert [part.text for part in parts(nested)] == ["one", "two"]


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("base64", "R3LDvMOfZQ=="),
        ("BASE64", "R3LD\r\n vM*OfZQ"),  # white space, rubbish, no padding
        ("quoted-printable", "Gr=C3=BC=\r\n=C3=9Fe"),
        ("Quoted-Printable ", "Gr=c3=bc=c3=9fe"),
        ("8bit", "Grüße"),
        ("x-unknown", "Grüße"),
        ("", "Grüße"),
    ],
)
def test_transfer_encodings_are_taken_off(encoding: str, body: str) -> None:
    """base64 and quoted-printable as they are found in the field; anything else as it is."""
    data = mail(
        f"Content-Transfer-Encoding: {encoding}",
        "Content-Type: text/plain; charset=utf-8",
        "",
        body,
    )
    assert first_text(data) == "Grüße"


def test_an_unknown_charset_is_read_as_western() -> None:
    """No name in a mail reaches a codec that is not in the table, and none loses the text."""
    for charset in ("x-evil", "rot13", "zlib_codec", "idna", "utf-7", "", "latin-1"):
        data = b'Content-Type: text/plain; charset="%b"\r\n\r\nGr\xfc\xdfe' % charset.encode()
        assert first_text(data) == "Grüße"


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("text/plain", {}),
        ('Text/Plain; charset="utf-8" ; Format=flowed', {"charset": "utf-8", "format": "flowed"}),
        (r'text/plain; name="a\"b"', {"name": 'a"b'}),
        ("text/plain; name*=utf-8'en'Gr%C3%BC%C3%9Fe", {"name": "Grüße"}),
        ("text/plain; name*0*=utf-8''Gr%C3%BC; name*1*=%C3%9F; name*2=e", {"name": "Grüße"}),
        ("text/plain; boundary=one; boundary=two", {"boundary": "one"}),
        ("text/plain;;; =; x", {}),
    ],
)
def test_parameters_of_content_type(value: str, meant: dict[str, str]) -> None:
    """Quoted, extended and cut in pieces (RFC 2231); the first of a name counts."""
    assert content_type(value)[1] == meant


def test_a_digest_holds_messages() -> None:
    """What stands in a multipart/digest is a message unless it says otherwise (RFC 2046 5.1.5)."""
    data = mail(
        "Content-Type: multipart/digest; boundary=x", "", "--x", "", "Subject: a", "", "b", "--x--"
    )
    (part,) = parts(data)
    assert part.type == "message/rfc822"
    assert first_text(part.body) == "b"


def test_the_first_text_is_what_a_person_wrote() -> None:
    """Plain text before HTML wherever it stands, neither an attachment nor a blank."""
    data = mail(
        "Content-Type: multipart/mixed; boundary=x",
        "",
        "--x",
        "Content-Disposition: attachment; filename=a.txt",
        "",
        "attached",
        "--x",
        "Content-Type: text/html",
        "",
        "<style>p {}</style><p>join &amp; more<br>please</p><!-- no -->",
        "--x",
        "",
        " ",
    )
    assert first_text(data) == "join & more\nplease"
    assert first_text(data + b"\r\n--x\r\n\r\nleave") == "leave"


def test_html_that_never_ends_is_read_to_its_end() -> None:
    """Comments, tags and scripts left open hide what follows, and cost no more for it."""
    assert words_of("a<!-- b <p>") == "a"
    assert words_of("a<script> b") == "a"
    assert words_of("1 < 2 <b") == "1 < 2"


@given(st.binary(max_size=2_000))
def test_any_bytes_have_parts(data: bytes) -> None:
    """Nothing raises, and every mail has at least one part."""
    assert list(parts(data))
    first_text(data)


@given(
    st.lists(
        st.sampled_from(
            [
                b"Content-Type: multipart/mixed; boundary=b\r\n",
                b"Content-Type: text/html\n",
                b"Content-Transfer-Encoding: base64\r",
                b"Content-Transfer-Encoding: quoted-printable\r\n",
                b"\r\n",
                b"--b\r\n",
                b"--b--",
                b"=",
                b"AAA=A",
                b"<p",
                b"\xff\0",
            ]
        ),
        max_size=40,
    )
)
def test_any_order_of_what_mails_are_made_of(pieces: list[bytes]) -> None:
    """Nothing raises where delimiters, fields and bodies stand anywhere."""
    data = b"".join(pieces)
    assert len(list(parts(data))) <= PARTS
    first_text(data)


_DEEP = b"".join(
    b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(9999)
)
BOMBS = {
    "deep": _DEEP,
    "one boundary, deep": b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" * 30_000,
    "many parts": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 300_000,
    "nearly delimiters": b"Content-Type: multipart/mixed; boundary="
    + b"-" * 60
    + b"\n\n"
    + b"-" * 2_000_000,
    "html": b"Content-Type: text/html\n\n" + b"<!-" * 300_000,
    "open tags": b"Content-Type: text/html\n\n" + b"<script " * 100_000,
    "parameters": b"Content-Type: text/plain" + b"; a*0*=%41" * 100_000,
    "quotes": b'Content-Type: text/plain; a="' + b'\\"' * 100_000,
    "line ends": b"\r" * 2_000_000,
    "large": base64.encodebytes(bytes(5_000_000)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_mail_takes_long_or_much(name: str) -> None:
    """A mail built to be slow is read in less than a second, and within bounds."""
    began = time.process_time()
    found = list(parts(BOMBS[name]))
    first_text(BOMBS[name])
    assert time.process_time() - began < 1.0
    assert len(found) <= PARTS
    assert all(len(part.body) <= BODY_OCTETS for part in found)


def test_every_mail_of_the_corpora_has_text(corpora: Path) -> None:
    """Real mail is read without an error, each within a second; nearly all of it says something."""
    mails = [path.read_bytes() for path in corpora.glob("*/**/*") if path.is_file()]
    said = 0
    for data in mails:
        began = time.process_time()
        said += bool(first_text(data).strip())
        assert time.process_time() - began < 1.0
    assert said > 0.9 * len(mails)
