"""Pieces of one input: what a fuzzer mutates as octets, a target may need in parts."""

from __future__ import annotations

from collections.abc import Iterator

PART = b"\xff\xfe\xfd"  # between parts: no text has it


def taken(data: bytes, count: int) -> list[bytes]:
    """`data` in so many parts, the last with all that is left; missing ones are empty."""
    found = data.split(PART, count - 1)
    return found + [b""] * (count - len(found))


def cut(data: bytes, sizes: bytes) -> Iterator[bytes]:
    """`data` as a network may cut it: in pieces of these sizes in turn, whole where there are
    none."""
    at, turn = 0, 0
    while at < len(data):
        size = 1 + sizes[turn % len(sizes)] if sizes else len(data)
        yield data[at : at + size]
        at, turn = at + size, turn + 1


def text(data: bytes) -> str:
    """Octets as the text that they are, or nearly."""
    return data.decode("utf-8", "replace")
