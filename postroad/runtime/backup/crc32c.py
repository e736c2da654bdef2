"""CRC-32C, which neither Python nor what we install has: 50 MB a second on large integers.

The octets are one polynomial over GF(2), as one integer with its lowest bit first. Its high half
is multiplied by a constant and added to the low half, which leaves the remainder as it is and
half as many octets, until few are left for a table. Lengths are chosen for constants of few bits,
as each bit costs one shift of the half.
"""

from __future__ import annotations

from functools import cache

POLYNOMIAL = 0x82F63B78  # its bits reversed, as they stand in the remainder
_LEAST = 64  # octets that the table is quick enough for
_TRIED = 512  # lengths among which the best is taken


def _row(index: int) -> int:
    for _ in range(8):
        index = index >> 1 ^ (POLYNOMIAL if index & 1 else 0)
    return index


_TABLE = tuple(_row(index) for index in range(256))


def crc32c(data: bytes) -> int:
    """The checksum of these octets."""
    length = len(data) * 8
    if length <= _LEAST * 8:
        return _by_table(data)
    number = int.from_bytes(data, "little") ^ 0xFFFFFFFF  # which is where it begins from
    for part, shift, bits in _plan(length):
        high = number & ((1 << part) - 1)  # the first octets are those of the highest degree
        folded = 0
        for bit in bits:
            folded ^= high << bit
        number = (number >> part) ^ (folded << shift)
        length -= part
    rest = number.to_bytes((length + 7) // 8, "little")
    return _by_table(rest, 0)


def _by_table(data: bytes, crc: int = 0xFFFFFFFF) -> int:
    for octet in data:
        crc = _TABLE[(crc ^ octet) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


@cache
def _plan(length: int) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
    """Of each fold: how many bits are taken off, where they are put, shifted by what."""
    plan = []
    while length > _LEAST * 8:
        least = (length - 31) // 2 // 8 * 8
        best: tuple[int, int, int] | None = None
        power = _power(length - least)
        for part in range(least, max(least - 8 * _TRIED, 8), -8):
            weight = power.bit_count()
            if best is None or weight < best[0]:
                best = weight, part, power
            power = _times_x8(power)
        assert best is not None
        _, part, power = best
        bits = tuple(bit for bit in range(32) if power >> bit & 1)
        plan.append((part, length - 2 * part - 31, bits))
        length -= part
    return tuple(plan)


def _times_x8(power: int) -> int:
    return _TABLE[power & 0xFF] ^ power >> 8


@cache
def _power(exponent: int) -> int:
    """X to that power, modulo the polynomial, with its bits reversed."""
    square, result = 1 << 30, 1 << 31  # x, 1
    while exponent:
        if exponent & 1:
            result = _product(result, square)
        square = _product(square, square)
        exponent >>= 1
    return result


def _product(one: int, other: int) -> int:
    result = 0
    for bit in range(31, -1, -1):
        if one >> bit & 1:
            result ^= other
        other = other >> 1 ^ (POLYNOMIAL if other & 1 else 0)
    return result
