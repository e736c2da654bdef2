"""The end of a mail, and its dots."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.smtpd.content import Content

ODD = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"\0", b"a"]), max_size=40).map(
    b"".join
)


def read(data: bytes, cuts: list[int]) -> tuple[bytes, Content]:
    """What comes out where `data` comes in pieces, each of the size in `cuts`, over and over."""
    content, found = Content(), b""
    sizes = cuts or [len(data)]
    turn = 0
    while data and not content.ended:
        size = sizes[turn % len(sizes)]
        found += content.take(data[:size])
        data, turn = data[size:], turn + 1
    return found, content


def stuffed(text: bytes) -> bytes:
    """A mail of whole lines as a client writes it."""
    lines = text.split(b"\r\n")[:-1]
    return b"".join(b"." * line.startswith(b".") + line + b"\r\n" for line in lines) + b".\r\n"


@given(
    st.lists(st.sampled_from([b"", b".", b"..", b".a", b"a", b"a.", b"\xff"]), max_size=20),
    st.lists(st.integers(1, 9), max_size=5),
)
def test_a_mail_comes_out_as_it_went_in(lines: list[bytes], cuts: list[int]) -> None:
    """However the network cuts it, every octet is as its author wrote it, and what follows is
    left for the next command."""
    text = b"".join(line + b"\r\n" for line in lines)
    found, content = read(stuffed(text) + b"QUIT\r\n", cuts)
    assert (found, content.ended, content.fault, content.size) == (text, True, "", len(text))


@given(ODD, st.lists(st.integers(1, 9), max_size=5))
def test_only_one_sequence_ends_a_mail(text: bytes, cuts: list[int]) -> None:
    """CRLF.CRLF does, at its first place, and nothing else; what has a bare CR or LF or a NUL
    before it is at fault. So it is for every cut."""
    data = text + b"\r\n.\r\nREST"
    wanted = (b"\r\n" + data).index(b"\r\n.\r\n")
    found, content = read(data, cuts)
    assert content.ended
    assert found == read(data, [])[0]
    inside = data[:wanted]
    plain = inside.replace(b"\r\n", b"")
    assert bool(content.fault) == any(each in plain for each in (b"\r", b"\n", b"\0"))


@pytest.mark.parametrize(
    "end",
    [
        b"\n.\n",
        b"\n.\r\n",
        b"\r.\r",
        b"\r.\r\n",
        b"\r\n.\n",
        b"\r\n.\r",
        b"\r\n\0.\r\n",
        b"\n\n.\r\n",
        b"\r\n.\0\r\n",
        b"\r\r\n.\r\n\n",
    ],
)
def test_no_other_end_of_a_mail_is_one(end: bytes) -> None:
    """What some servers take for the end smuggles a mail past those before them: here it is part
    of one mail, which is refused, or the end is the true one and what follows is refused."""
    smuggled = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n\r\nx"
    content = Content()
    content.take(b"Subject: x\r\n\r\nbody" + end + smuggled + b"\r\n.\r\n")
    assert content.ended
    assert content.fault
