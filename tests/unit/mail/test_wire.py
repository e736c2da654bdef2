"""Bytes as SMTP carries them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from postroad.mail.wire import canonical, dot_stuff
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
