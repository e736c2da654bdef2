"""Records of a backup: their octets, their sum, and the frames that a broker restores from."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from postroad.runtime.backup.crc32c import crc32c
from postroad.runtime.backup.framing import FRAME, frames
from postroad.runtime.backup.records import Record, encoded, entries

RECORDS = st.lists(
    st.builds(
        Record,
        st.binary(max_size=200),
        st.integers(0, 2**63),
        st.integers(-(2**62), 2**62),
        st.binary(max_size=200),
        st.binary(max_size=200),
    )
)


def slow(data: bytes) -> int:
    """The checksum bit by bit, as RFC 3720 defines it."""
    crc = 0xFFFFFFFF
    for octet in data:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@settings(max_examples=50)
@given(RECORDS)
def test_records_are_read_as_they_were_written(records: list[Record]) -> None:
    """What was encoded comes back, one by one, each with its own octets."""
    octets = b"".join(map(encoded, records))
    assert [record for record, _ in entries(octets)] == records
    assert b"".join(entry for _, entry in entries(octets)) == octets


def test_a_record_that_is_cut_is_no_record() -> None:
    """Octets that end within a record are told, wherever they end."""
    octets = encoded(Record(b"raw.a.0.0", 300, 1_700_000_000_000_000_000, b"h", b"data"))
    for end in range(1, len(octets)):
        with pytest.raises(ValueError, match="not whole"):
            list(entries(octets[:end]))


def test_the_checksum_is_that_of_the_standard() -> None:
    """Test vectors of RFC 3720, and every length around where it is folded."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    data = bytes(range(256)) * 8
    for length in (*range(60, 140), 500, 1001, 2048):
        assert crc32c(data[:length]) == slow(data[:length])


def test_frames_hold_all_octets_in_order() -> None:
    """Frames say how long they are, and hold what was given, however it was cut."""
    pieces = [b"a" * 10, b"b" * FRAME, b"c" * 5]
    first, *rest = frames(pieces)
    assert first == b"\xff\x06\x00\x00S2sTwO"
    assert all(frame[0] == 1 for frame in rest)
    assert all(int.from_bytes(frame[1:4], "little") == len(frame) - 4 for frame in rest)
    assert b"".join(frame[8:] for frame in rest) == b"".join(pieces)
