"""What signatures are taken over."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail import canonical
from postroad.mail.canonical import BodyHash, relaxed_field

LINES = st.lists(
    st.sampled_from([b"", b" ", b"\t", b"a", b"a  b", b" c \t", b".", b"\xff\x00"]), max_size=12
)


def hashed(*pieces: bytes) -> bytes:
    """The hash of a body in these pieces."""
    body = BodyHash()
    for piece in pieces:
        body.update(piece)
    return body.digest()


@pytest.mark.parametrize(
    ("field", "signed"),
    [
        (b"A: X\r\n", b"a:X\r\n"),
        (b"B : Y\t\r\n\tZ  \r\n", b"b:Y Z\r\n"),
        (b"SUBJect:  a \r\n\r\n b\r\n", b"subject:a b\r\n"),
        (b"X:\r\n", b"x:\r\n"),
        (b"X: a:b \xff\r\n", b"x:a:b \xff\r\n"),
    ],
)
def test_a_relaxed_field(field: bytes, signed: bytes) -> None:
    """Name in lower case, unfolded, blanks one, none at the ends (RFC 6376 3.4.2, 3.4.5)."""
    assert relaxed_field(field) == signed


@pytest.mark.parametrize(
    ("body", "signed"),
    [
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),
        (b"", b""),
        (b"\r\n\r\n", b""),
        (b" \t\r\n \r\n", b""),
        (b"\r\n \r\na\r\n", b"\r\n\r\na\r\n"),
    ],
)
def test_a_relaxed_body(body: bytes, signed: bytes) -> None:
    """Blanks one, none at line ends, no empty lines at the end; an empty body is nothing at all
    (RFC 6376 3.4.4, 3.4.5)."""
    assert hashed(body) == hashlib.sha256(signed).digest()


@given(LINES, st.integers(0, 12), st.integers(1, 40))
def test_pieces_hash_as_the_whole(lines: list[bytes], cut: int, at_once: int) -> None:
    """However a body is cut between lines, and however much of it is in hand, its hash is one."""
    ended = [line + b"\r\n" for line in lines]
    whole = hashed(b"".join(ended))
    assert hashed(b"".join(ended[:cut]), b"", b"".join(ended[cut:])) == whole
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canonical, "_AT_ONCE", at_once)
        assert hashed(b"".join(ended)) == whole


def test_bodies_that_begin_alike_share_the_beginning() -> None:
    """A copied hash goes on by itself, and so does the one it was copied from."""
    first = BodyHash()
    first.update(b"text\r\n\r\n")
    second = first.copy()
    second.update(b"your footer\r\n")
    assert first.digest() == hashed(b"text\r\n")
    assert second.digest() == hashed(b"text\r\n\r\nyour footer\r\n")
