"""Octets into responses: the same however they arrive; nothing is taken for what it is not."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.framing import LARGEST, Framer, Response

DIALOGUE = (
    b"* OK [ALERT] text that ends like a literal {3}\r\n"
    b"* 12 FETCH (UID 7 BODY[] {12}\r\n* 1 EXISTS\r\n FLAGS (\\Seen))\r\n"
    b"* 13 FETCH (UID 8 BODY[] {0}\r\n)\r\n"
    b"* 14 FETCH (UID 9 BODY[HEADER] {3+}\r\nA{1 BODY[TEXT] {5}\r\n\r\n)\r\n)\r\n"
    b"* BYE so long {9}\r\n"
    b"\r\n"
    b"+ go on {2}\r\n"
    b"A1 OK done {1}\r\n"
)
RESPONSES: list[Response] = [
    [b"* OK [ALERT] text that ends like a literal {3}"],
    [b"* 12 FETCH (UID 7 BODY[] {12}", bytearray(b"* 1 EXISTS\r\n"), b" FLAGS (\\Seen))"],
    [b"* 13 FETCH (UID 8 BODY[] {0}", bytearray(), b")"],
    [
        b"* 14 FETCH (UID 9 BODY[HEADER] {3+}",
        bytearray(b"A{1"),
        b" BODY[TEXT] {5}",
        bytearray(b"\r\n)\r\n"),
        b")",
    ],
    [b"* BYE so long {9}"],
    [b"+ go on {2}"],
    [b"A1 OK done {1}"],
]


def read(*pieces: bytes) -> list[Response]:
    framer = Framer()
    return [response for piece in pieces for response in framer.feed(piece)]


def test_literals_belong_to_their_response() -> None:
    """A literal is its octets, whatever they look like; text that ends in {3} is no literal."""
    assert read(DIALOGUE) == RESPONSES


@pytest.mark.parametrize("at", range(1, len(DIALOGUE)))
def test_a_cut_anywhere_changes_nothing(at: int) -> None:
    """Two segments, cut at any octet, are read as one."""
    assert read(DIALOGUE[:at], DIALOGUE[at:]) == RESPONSES


@given(st.lists(st.integers(0, len(DIALOGUE))))
def test_any_number_of_cuts_changes_nothing(cuts: list[int]) -> None:
    """However many segments there are, down to an octet each, the responses are the same."""
    ends = [0, *sorted(cuts), len(DIALOGUE)]
    assert read(*(DIALOGUE[a:b] for a, b in itertools.pairwise(ends))) == RESPONSES
    assert read(*(bytes([octet]) for octet in DIALOGUE)) == RESPONSES


@given(st.binary(max_size=300))
def test_any_octets_are_read(data: bytes) -> None:
    """Nothing a server sends is a fault of the reader; what it gives is what was sent."""
    framer = Framer()
    for response in framer.feed(data):
        assert all(bytes(part) in data for part in response)
    assert framer.within or not data or data.endswith(b"\r\n")


@pytest.mark.parametrize("size", [LARGEST, 9_999_999_999])
def test_a_response_has_an_end(size: int) -> None:
    """A literal of any size may be announced; it is refused before it is waited for."""
    with pytest.raises(ValueError, match="response of more than"):
        read(b"* 1 FETCH (BODY[] {%d}\r\n" % size, b"x")
