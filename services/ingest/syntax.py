"""IMAP on the wire: arguments we write and answers we read. Pure.

aioimaplib passes arguments nearly raw and hands answers back as a list in which lines are `bytes`
and literals `bytearray`; everything that depends on IMAP's grammar (RFC 3501 section 9) is here.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec

Lines = Sequence[bytes | bytearray]


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One mail of a folder as the server lists it, before its bytes are fetched.

    `size` is RFC822.SIZE in octets, `arrived` INTERNALDATE in UTC (None where it makes no sense).
    """

    uid: int
    size: int
    arrived: datetime | None = None
    seen: bool = False
    deleted: bool = False


def quote(text: str) -> str:
    """`text` as a quoted string. ValueError for what no quoted string can hold."""
    if any(not " " <= letter <= "~" for letter in text):
        raise ValueError("holds a control character or a letter outside ASCII")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def folder_argument(name: str) -> str:
    """A mailbox name in modified UTF-7 (RFC 3501 section 5.1.3), quoted. ValueError as `quote`."""
    parts: list[str] = []
    for run in re.findall(r"[ -~]+|[^ -~]+", name):
        if run.isascii():
            parts.append(run.replace("&", "&-"))
            continue
        if not run.isprintable():
            raise ValueError("holds a control character")
        encoded = b2a_base64(run.encode("utf-16-be"), newline=False).decode()
        parts.append(f"&{encoded.rstrip('=').replace('/', ',')}-")
    return quote("".join(parts))


def ranges(uids: Iterable[int]) -> list[tuple[int, int]]:
    """`[1, 2, 3, 7]` as `[(1, 3), (7, 7)]`."""
    found: list[tuple[int, int]] = []
    for uid in sorted(uids):
        if found and uid <= found[-1][1] + 1:
            found[-1] = found[-1][0], uid
        else:
            found.append((uid, uid))
    return found


def uid_set(uids: Iterable[int]) -> str:
    """`[1, 2, 3, 7]` as `1:3,7`."""
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in ranges(uids))


def response_code(lines: Lines, name: str) -> int | None:
    """The number of `[NAME number]` anywhere in an answer (`UIDVALIDITY`)."""
    wanted = re.compile(rb"\[%s (\d{1,10})\]" % name.encode(), re.IGNORECASE)
    for line in lines:
        if match := wanted.search(line):
            return int(match[1])
    return None


def searched(lines: Lines) -> list[int]:
    """UIDs of a SEARCH answer, ascending, in whatever order and however often it has them. The
    last line is the tagged one and is no result; no UID is 0, has more than 32 bits or comes in
    a literal."""
    told = (line for line in lines[:-1] if not isinstance(line, bytearray))
    words = {word for line in told for word in line.split() if _NUMBER.fullmatch(word)}
    return sorted({uid for uid in map(int, words) if 0 < uid < 1 << 32})


_NUMBER = re.compile(rb"\d{1,10}")
_UID = re.compile(rb"\bUID (\d{1,10})\b")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d{1,18})\b")
_DATE = re.compile(rb'\bINTERNALDATE "([^"]{1,40})"')
_FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)", re.IGNORECASE)
_ITEM = re.compile(rb"\d+ FETCH \(", re.IGNORECASE)


def _items(lines: Lines) -> Iterator[list[bytes | bytearray]]:
    """The lines of an answer, one list for each `n FETCH (...)`."""
    item: list[bytes | bytearray] = []
    for line in lines[:-1]:
        if not isinstance(line, bytearray) and _ITEM.match(line):
            if item:
                yield item
            item = [line]
        elif item:
            item.append(line)
    if item:
        yield item


def listed(lines: Lines) -> list[Row]:
    """Rows of a FETCH of UID, RFC822.SIZE, INTERNALDATE and FLAGS, by UID.

    Rows without UID and size are somebody else's flag changes, sent in between.
    """
    rows: dict[int, Row] = {}
    for item in _items(lines):
        text = b" ".join(item)
        uid, size = _UID.search(text), _SIZE.search(text)
        if uid is None or size is None:
            continue
        date, flags = _DATE.search(text), _FLAGS.search(text)
        names = flags[1].lower().split() if flags else []
        rows[int(uid[1])] = Row(
            uid=int(uid[1]),
            size=int(size[1]),
            arrived=internal_date(date[1].decode("ascii", "replace")) if date else None,
            seen=b"\\seen" in names,
            deleted=b"\\deleted" in names,
        )
    return sorted(rows.values(), key=lambda row: row.uid)


def internal_date(text: str) -> datetime | None:
    """`17-Jul-1996 02:44:25 -0700` in UTC; None where it is not such a date."""
    try:
        return datetime.strptime(text.strip(), "%d-%b-%Y %H:%M:%S %z").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_BODY = re.compile(rb"\bBODY\[\](?:<\d+>)? ")
# one without an end goes on to the end, or each of its quotation marks would be looked behind
_QUOTED = re.compile(rb'"([^"\\]*+(?>(?:\\.?[^"\\]*+)*))("|\Z)', re.DOTALL)


def bodies(lines: Lines) -> dict[int, bytes]:
    """The octets of BODY[] (or of one part of it) by UID. A mail the server does not hand out
    (expunged meanwhile, or NIL) is missing."""
    found: dict[int, bytes] = {}
    for item in _items(lines):
        text = b" ".join(part for part in item if not isinstance(part, bytearray))
        # a quoted string may be a mail, and say "UID 9" itself
        uid, body = _UID.search(_QUOTED.sub(b'""', text)), _body(item)
        if uid is not None and body is not None:
            found[int(uid[1])] = body
    return found


def _body(item: list[bytes | bytearray]) -> bytes | None:
    for index, line in enumerate(item):
        if isinstance(line, bytearray) or not (match := _BODY.search(line)):
            continue
        if index + 1 < len(item) and isinstance(literal := item[index + 1], bytearray):
            return bytes(literal)
        if (quoted := _QUOTED.match(line, match.end())) and quoted[2]:
            return re.sub(rb"\\(.)", rb"\1", quoted[1])
    return None
