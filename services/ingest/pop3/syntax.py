"""POP3 on the wire (RFC 1939): arguments we write and answers we read. Pure.

Servers are read with patience: what is no number, or has no sense, is passed over and never
guessed at.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

_STATUS = re.compile(rb"(\+OK|-ERR)(?:[ \t]+(.*))?\Z", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(rb"\[([A-Z/-]+)\]", re.IGNORECASE)  # RFC 2449, 3206
_SCAN = re.compile(rb"[ \t]*(\d{1,9})[ \t]+(\S+)")
_SIZE = re.compile(rb"\d{1,18}")
_UIDL = re.compile(rb"[!-~]{1,250}")  # RFC 1939 section 7 says 70; some say more


class Listed(msgspec.Struct, frozen=True, gc=False):
    """One mail as the server lists it: its number in this session, its size in octets (0 where
    that makes no sense), and its unique id, "" where it has none of its own."""

    number: int
    size: int
    uidl: str = ""


class Status(msgspec.Struct, frozen=True):
    """The first line of an answer. `code` is what it says in brackets, in capitals."""

    ok: bool
    text: bytes = b""

    @property
    def code(self) -> str:
        """`IN-USE`, `LOGIN-DELAY`, `AUTH`, `SYS/TEMP`, `SYS/PERM`, or ""."""
        found = _CODE.match(self.text)
        return found[1].decode("ascii").upper() if found else ""


def status(line: bytes) -> Status | None:
    """`+OK text` or `-ERR text`; None for anything else."""
    found = _STATUS.match(line)
    return Status(found[1].upper() == b"+OK", (found[2] or b"").strip()) if found else None


def argument(text: str) -> bytes:
    """`text` as an argument of a command. ValueError where it would end the line."""
    if any(letter in text for letter in "\r\n\0"):
        raise ValueError("holds a line end")
    return text.encode()


def lines(block: bytes) -> list[bytes]:
    """The lines of a block, whatever they end with."""
    return block.replace(b"\r\n", b"\n").split(b"\n")


def sizes(block: bytes) -> dict[int, int]:
    """Sizes by number, of an answer to LIST."""
    found: dict[int, int] = {}
    for line in lines(block):
        if (scan := _SCAN.match(line)) and int(scan[1]):
            found[int(scan[1])] = int(scan[2]) if _SIZE.fullmatch(scan[2]) else 0
    return found


def uidls(block: bytes) -> dict[int, str]:
    """Unique ids by number, of an answer to UIDL."""
    found: dict[int, str] = {}
    for line in lines(block):
        if (scan := _SCAN.match(line)) and _UIDL.fullmatch(scan[2]):
            found[int(scan[1])] = scan[2].decode("ascii")
    return found


def listed(by_size: Mapping[int, int], by_uidl: Mapping[int, str]) -> list[Listed]:
    """The mails by number. An id that several of them have tells none of them apart."""
    often = Counter(by_uidl.values())
    unique = {number: uidl for number, uidl in by_uidl.items() if often[uidl] == 1}
    return [
        Listed(number, size, unique.get(number, "")) for number, size in sorted(by_size.items())
    ]


def capabilities(block: bytes) -> dict[str, Sequence[str]]:
    """Capabilities with what each says more, in capitals (RFC 2449)."""
    words: Iterable[list[str]] = (
        line.decode("ascii", "replace").upper().split() for line in lines(block)
    )
    return {name: rest for name, *rest in filter(None, words)}


class Block:
    """The lines that follow an answer, up to the dot that ends them (RFC 1939 section 3).

    A server that ends its own lines with a bare LF (`line_end`) is taken at its word; with any
    other a bare LF ends nothing, or a mail could end its own answer, and speak for the server.
    """

    def __init__(self, line_end: bytes, largest: int) -> None:
        self._end = line_end
        self._largest = largest
        self._data = bytearray()
        self._last = line_end + b"." + line_end

    def feed(self, data: bytes) -> bytes | None:
        """Take in what came; what is behind the end, once that is there. ValueError for more
        than `largest` octets."""
        start = max(0, len(self._data) - len(self._last))
        self._data += data
        if self._data.startswith(self._last[len(self._end) :]):
            at, until = 0, len(self._last) - len(self._end)
        elif (found := self._data.find(self._last, start)) >= 0:
            at, until = found + len(self._end), found + len(self._last)
        else:
            # up to half of it may be stuffing
            if len(self._data) > 2 * self._largest + 1024:
                raise ValueError("too long")
            return None
        rest = bytes(self._data[until:])
        del self._data[at:]
        return rest

    def content(self) -> bytes:
        """What was sent, without the dots that were put before others. ValueError as `feed`."""
        stuffed, end = bytes(self._data), self._end
        data = stuffed.replace(end + b"..", end + b".")
        data = data[1:] if data.startswith(b"..") else data
        if len(data) > self._largest:
            raise ValueError("too long")
        return data
