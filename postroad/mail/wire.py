"""Bytes as SMTP carries them: every line end CRLF, leading dots doubled (RFC 5321 2.3.8, 4.5.2).

A bare CR or bare LF becomes CRLF, each of them, so none ever leaves: what receivers take for
the end of data is never a matter of opinion. 8-bit octets go through as they are: they are the
author's, signatures cover them, and whether to take them is for the relay to say. Lines that are
too long for SMTP are broken where that shows least, because some relays refuse them and others
break them anywhere: `folded` in a header, `wrapped` in a body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

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


def folded(header_block: bytes) -> bytes:
    """A canonical header block without lines too long: each goes on in the next before a blank,
    as fields do (RFC 5322 section 2.2.3); where there is none, a blank is put in, after a comma
    if possible."""
    return _broken(header_block, _fold)


def wrapped(body: bytes) -> bytes:
    """A canonical body without lines too long: each is broken behind a blank. Where there is none
    it is base64, more often than not, and ends in whole groups of four; no character of UTF-8 and
    no octet of quoted-printable is ever cut in two. 20 MB take 5 ms where nothing is to be done.
    """
    return _broken(body, _wrap)


def _broken(data: bytes, cut: Callable[[bytes], tuple[int, bytes]]) -> bytes:
    """`cut` says where the beginning of a line ends, and what the rest of it begins with."""
    pieces = []
    done = at = 0
    while at < len(data):
        if end := data.rfind(b"\n", at, at + LONGEST_LINE + 2) + 1:
            at = end  # whatever ends in there is short enough
            continue
        end = data.find(b"\r\n", at)
        end = len(data) if end < 0 else end
        pieces.append(data[done:at])
        first = b""
        while len(first) + end - at > LONGEST_LINE:
            place, more = cut(first + data[at : at + LONGEST_LINE - len(first)])
            pieces += (first, data[at : at + place - len(first)], b"\r\n")
            at += place - len(first)
            first = more
        pieces.append(first)
        done = at
    return b"".join((*pieces, data[done:])) if pieces else data


def _fold(line: bytes) -> tuple[int, bytes]:
    start = len(line) - len(line.lstrip(b" \t"))
    blank = max(line.rfind(b" "), line.rfind(b"\t"))
    if blank > start:
        return blank, b""
    place = max(line.rfind(b","), line.rfind(b";")) + 1
    return (place if place > start else _whole(line)), b" "


def _wrap(line: bytes) -> tuple[int, bytes]:
    blank = max(line.rfind(b" "), line.rfind(b"\t")) + 1
    return blank or _whole(line), b""


def _whole(line: bytes) -> int:
    """The last multiple of four within, or a little before it where a character would be cut."""
    place = last = (len(line) - 1) // 4 * 4
    while place > last - 4 and line[place] & 0xC0 == 0x80:
        place -= 1
    sign = line.rfind(b"=", place - 2, place)
    return place if sign < 0 else sign


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
