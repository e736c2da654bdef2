"""Records as the broker takes them: its archive, in frames that say they are not compressed.

The frames are Snappy's; each has the CRC-32C of its octets, with its halves turned and a constant
added.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from postroad.runtime.backup.crc32c import crc32c
from postroad.runtime.backup.records import Record, encoded

MAGIC = b"NATSARC1"
BEGIN = b"\xff\x06\x00\x00S2sTwO"
PLAIN = b"\x01"
FRAME = 256 << 10  # octets
_ADDED = 0xA282EAD8


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far a consumer has come: `consumer` is the number of deliveries."""

    consumer: int = 0
    stream: int = 0


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """A durable consumer: its configuration, and up to where all is acknowledged."""

    name: str
    config: dict[str, object]
    floor: Position = Position()


def opening(first: int, last: int, octets: int, count: int, readers: Iterable[Reader]) -> bytes:
    """What stands before the messages: the state of the stream, and its consumers."""
    known = list(readers)
    state = {
        "messages": count,
        "bytes": octets,
        "first_seq": first,
        "last_seq": last,
        "consumer_count": len(known),
    }
    entry = [MAGIC, _named(b"state.json", state)]
    for reader in known:
        floor = {"consumer_seq": reader.floor.consumer, "stream_seq": reader.floor.stream}
        where = {"delivered": floor, "ack_floor": floor}
        about = {"config": reader.config, "state": where}
        entry.append(_named(f"consumers/{reader.name}".encode(), about))
    return b"".join(entry)


def closing() -> bytes:
    """What stands behind them: an entry of nothing."""
    return encoded(Record(b"", 0, 0, b"", b""))


def _named(name: bytes, about: object) -> bytes:
    return encoded(Record(name, 0, 0, b"", msgspec.json.encode(about)))


def frames(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The octets of `pieces`, framed."""
    yield BEGIN
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= FRAME:
            yield framed(bytes(waiting[:FRAME]))
            del waiting[:FRAME]
    if waiting:
        yield framed(bytes(waiting))


def framed(octets: bytes) -> bytes:
    """One frame of at most `FRAME` octets."""
    crc = crc32c(octets)
    masked = ((crc >> 15 | crc << 17) + _ADDED) & 0xFFFFFFFF
    size = (len(octets) + 4).to_bytes(3, "little")
    return b"".join((PLAIN, size, masked.to_bytes(4, "little"), octets))
