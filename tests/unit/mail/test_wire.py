"""Bytes as SMTP carries them."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.fields import fields
from postroad.mail.wire import canonical, dot_stuff, folded, wrapped
from tests.unit.mail.smtpreader import read_data

ENDS = (b"\n", b"\r", b"\r\n")


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", b""),
        (b"a", b"a\r\n"),
        (b"a\nb\rc\r\nd", b"a\r\nb\r\nc\r\nd\r\n"),
        (b"\r\r\n\n\r", b"\r\n\r\n\r\n\r\n"),
        (b"\n", b"\r\n"),
        (b"\0\xff\r\n", b"\0\xff\r\n"),  # the author's octets are the author's
    ],
)
def test_every_line_end_becomes_crlf(data: bytes, lines: bytes) -> None:
    """Each bare CR and each bare LF is one line end; the last line ends too; NUL stays."""
    assert canonical(data) == lines
    assert canonical(lines) == lines


@pytest.mark.parametrize(
    "end", [before + b"." + after for before in ENDS for after in ENDS], ids=repr
)
def test_no_end_of_data_is_smuggled(end: bytes) -> None:
    """None of the ways to write an end of data ends ours: one message goes in, one out."""
    data = b"Subject: x\r\n\r\nbody" + end + b"MAIL FROM:<eve@evil.org>\r\n"
    stuffed = dot_stuff(canonical(data))
    assert read_data(stuffed + b".\r\nQUIT\r\n") == (canonical(data), b"QUIT\r\n")


@pytest.mark.parametrize("data", [b".", b"..", b".\r\n.", b"\r\n.\r\n", b".a\r\n..b"])
def test_leading_dots_are_doubled(data: bytes) -> None:
    """Every line that starts with a dot gets another, the first line too."""
    assert read_data(dot_stuff(canonical(data)) + b".\r\n") == (canonical(data), b"")


LINES = st.lists(
    st.one_of(
        st.binary(max_size=40).map(lambda data: canonical(data)[:-2]),
        st.integers(990, 3000).map(lambda size: b"x" * size),
        st.text("aé \u20ac=\U0001f600", min_size=300, max_size=400).map(
            lambda text: (text * 4).encode()
        ),
        st.lists(st.integers(1, 1100), max_size=5).map(
            lambda sizes: b" ".join(b"w" * size for size in sizes)
        ),
    ),
    max_size=5,
)


@given(LINES)
def test_no_line_is_too_long(lines: list[bytes]) -> None:
    """RFC 5321 section 4.5.3.1.6: 998 octets and CRLF. What is short enough stays as it is, nothing
    is lost, and a second pass finds nothing to do."""
    data = canonical(b"\r\n".join(lines))
    for broken in (wrapped(data), folded(data)):
        assert max(map(len, broken.split(b"\r\n"))) <= 998
        assert broken.count(b"\r\n") == broken.count(b"\r") == broken.count(b"\n")
        assert all(
            line in broken.split(b"\r\n") for line in data.split(b"\r\n") if len(line) <= 998
        )
        assert re.sub(rb"[\r\n ]", b"", broken) == re.sub(rb"[\r\n ]", b"", data)
    assert wrapped(wrapped(data)) == wrapped(data)
    assert wrapped(data).replace(b"\r\n", b"") == data.replace(b"\r\n", b"")


@given(st.text("aé\u20ac\U0001f600", min_size=500, max_size=700).map(lambda text: text * 3))
def test_no_character_is_cut(text: str) -> None:
    """A long line of UTF-8 without a blank is broken between characters, in header and body."""
    for each in (wrapped, folded):
        for line in each(canonical(text.encode())).split(b"\r\n"):
            assert line.decode().strip() in text


def test_base64_in_one_line_stays_whole_groups() -> None:
    """Base64 that somebody wrote into one line is the same data in lines of groups of four."""
    data = bytes(range(256)) * 20
    lines = wrapped(b64encode(data) + b"\r\n").split()
    assert b"".join(b64decode(line, validate=True) for line in lines) == data
    assert len(lines) == 7


def test_quoted_printable_is_not_cut_in_an_octet() -> None:
    """`=C3` is one octet: no break comes into it."""
    for before in range(4):
        for line in wrapped(b"x" * before + b"=C3=A9" * 400 + b"\r\n").split():
            assert re.fullmatch(rb"x*(?:=[0-9A-F]{2})+", line)


def test_a_long_field_is_folded() -> None:
    """A field goes on in the next line before a blank, or, where it has none, after a comma: read
    as fields are, it is the same one."""
    subject = b"Subject: " + b"long words " * 300 + b"\r\n"
    assert folded(subject).replace(b"\r\n ", b" ") == subject
    to = b"To: " + b",".join(b"person%d@example.org" % n for n in range(100)) + b"\r\n"
    first, *more, last, _ = folded(to).split(b"\r\n")
    assert (first, last[-12:]) == (b"To:", b"@example.org")
    assert all(line.endswith(b",") for line in more)
    assert [field.end for field in fields(folded(to))] == [len(folded(to))]


def test_every_corpus_file_survives(corpora: Path) -> None:
    """Real and broken mail comes out of a strict reader as it was, but for its line ends."""
    for path in corpora.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            lines = canonical(data)
            ends = len(re.findall(rb"\r\n|\r|\n", data)) + bool(re.search(rb"[^\r\n]\Z", data))
            assert lines.count(b"\r\n") == lines.count(b"\r") == lines.count(b"\n") == ends
            assert re.sub(rb"[\r\n]", b"", lines) == re.sub(rb"[\r\n]", b"", data)
            assert read_data(dot_stuff(lines) + b".\r\n") == (lines, b"")
