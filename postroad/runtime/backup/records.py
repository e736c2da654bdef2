"""A stored message as it lies in a copy: one entry of the archive that a broker restores from.

    length of the subject, time in nanoseconds, sequence, length of headers, length of body, as
    variable-length integers (the time zigzag), then subject, headers and body as they are stored

So a restore needs no conversion, and equal messages are equal octets: the sum of a stream is that
of the SHA-256 of its entries, modulo 2^256, however it is cut into pieces.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

MODULUS = 1 << 256


class Record(NamedTuple):
    """One message: `head` is its block of headers, empty where it has none."""

    subject: bytes
    seq: int
    ns: int
    head: bytes
    data: bytes


def encoded(record: Record) -> bytes:
    """Its octets."""
    subject, seq, ns, head, data = record
    return b"".join(
        (
            _number(len(subject)),
            _number(ns << 1 if ns >= 0 else ~(ns << 1)),
            _number(seq),
            _number(len(head)),
            _number(len(data)),
            subject,
            head,
            data,
        )
    )


def entries(octets: bytes) -> Iterator[tuple[Record, bytes]]:
    """Every record and its octets. Raises ValueError where the last is not whole."""
    at, end, view = 0, len(octets), memoryview(octets)
    while at < end:
        begin = at
        numbers = []
        for _ in range(5):
            number = shift = 0
            while True:
                if at >= end:
                    raise ValueError("a record is not whole")
                octet = octets[at]
                at += 1
                number |= (octet & 0x7F) << shift
                if octet < 0x80:
                    break
                shift += 7
            numbers.append(number)
        subject, zigzag, seq, head, data = numbers
        first, second = at + subject, at + subject + head
        if (third := second + data) > end:
            raise ValueError("a record is not whole")
        ns = zigzag >> 1 ^ -(zigzag & 1)
        yield (
            Record(
                bytes(view[at:first]),
                seq,
                ns,
                bytes(view[first:second]),
                bytes(view[second:third]),
            ),
            bytes(view[begin:third]),
        )
        at = third


def digest(entry: bytes) -> int:
    """What an entry adds to the sum of its stream."""
    return int.from_bytes(hashlib.sha256(entry).digest(), "big")


def _number(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)
