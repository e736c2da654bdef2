"""Where a list's own lines go in a mail, without touching an octet of what the author wrote. Pure.

A list may have a header, above the text of every post, and a footer, below it. The mail is not
parsed but for the fields of its own header, and not copied: the answer is edits to the header and
lines to put into the body, which whoever sends it makes (`Insertion`).

    text/plain, 7bit or 8bit     the lines stand around the text, where its charset holds them
    text/plain, quoted-printable the same, encoded as it is, where they have no field of a person
    multipart/mixed              each is one more part: before the first, after the last
    signed, encrypted, reports   nothing: the mail stays as it is, also where PGP stands in a text
    everything else              becomes a part of a multipart/mixed, between those of the list

What is doubtful (two Content-Types, no end of a multipart, ...) goes without: a reader would miss
the lines less than the mail. Time is linear in the size of the mail.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from postroad.mail import wire
from postroad.mail.edits import edit
from postroad.mail.fields import body_offset, fields
from postroad.mail.headers import HEADER_OCTETS
from postroad.mail.mergefields import OF_PERSON, Pieces
from postroad.mail.parts import DELIMITER_TAIL, content_type
from schemas.mail import HeaderEdit, Insertion

Charset = Literal["us-ascii", "utf-8"]

# Signatures cover the whole; a report is read by programs; a fragment or an invitation is not a
# text that something could follow.
_UNTOUCHED = frozenset(
    (
        *("multipart/signed", "multipart/encrypted", "multipart/report", "text/calendar"),
        *("message/partial", "message/external-body"),
    )
)
_CRYPTIC = re.compile(r"application/(?:x-)?(?:pgp|pkcs7)\b")  # and what an older mail calls them
_INLINE_PGP = re.compile(rb"[\r\n]-----BEGIN PGP (?:SIGNED )?MESSAGE")
_INLINE_PGP_BASE64 = b"LS0tLS1CRUdJTiBQR1Ag"  # -----BEGIN PGP
# ASCII octets mean the same in these.
_OVER_ASCII = re.compile(r"us-ascii|ascii|utf-8|utf8|iso-8859-\d{1,2}|windows-125\d|koi8-[ru]")
_BOUNDARY = re.compile(r"[\w'()+,./:=? -]{0,199}[\w'()+,./:=?-]", re.ASCII)
_STUFFED = re.compile(r"^(?=[ >]|From )", re.MULTILINE)  # RFC 3676 section 4.4
_OPEN = re.compile(rb"=[ \t]*[\r\n]*\Z")  # quoted-printable whose last line goes on
_END = 100  # octets of a body that are looked at for that
_BLANKS = re.compile(r"(?<!^--)(?<![ \t])[ \t]+(?=\n)", re.MULTILINE)
_MOVED = 8_000  # octets of Content-* fields
_TRIES = 1_000  # lines that look like the closing delimiter
LONGEST = 998  # octets of a line, RFC 5322 2.1.1
VALUE = 320  # octets that the value of a person's field may have
_VALUE_OF_LIST = 64  # where it is not filled in yet, so not known


@dataclass(frozen=True, slots=True)
class Decoration:
    """What makes a mail one with the list's lines: changes to its header, and lines put into its
    body."""

    edits: tuple[HeaderEdit, ...]
    insertions: tuple[Insertion, ...]


def decorate(data: bytes, head: int, header: Pieces, footer: Pieces) -> Decoration | None:
    """How a whole mail, whose body begins at `head`, gets these lines (`mergefields.parse`, what
    is the list's filled in, lines parted by LF, none for none); None where it goes without. 20 MB
    take 25 ms."""
    entity = _Entity.of(data, head) if head <= HEADER_OCTETS else None
    header, footer = _tidy(header), _tidy(footer)
    if entity is None or not (header or footer) or not (fits(header) and fits(footer)):
        return None
    if entity.untouchable:
        return None
    if entity.type == "text/plain" and (found := _around(entity, header, footer)):
        return found
    if not entity.type.startswith("multipart/"):
        return _wrap(entity, header, footer)
    boundary = entity.params.get("boundary", "").rstrip()
    # RFC 2045 6.4 forbids any other encoding; who knows what readers make of it
    if entity.encoding not in ("", "7bit", "8bit") or not _BOUNDARY.fullmatch(boundary):
        return None
    if entity.type == "multipart/mixed":
        return _more_parts(entity, f"--{boundary}", header, footer)
    opened = _delimiter_line(entity.data, entity.head, f"--{boundary}".encode(), b"")
    return _wrap(entity, header, footer) if opened is not None else None


def fits(lines: Pieces) -> bool:
    """Whether none of them can pass what mail may have, whoever reads it."""
    longest, line = 0, 0
    for at, piece in enumerate(lines):
        if at % 2:
            line += VALUE if piece in OF_PERSON else _VALUE_OF_LIST
            continue
        first, *others = piece.split("\n")
        line += len(first.encode())
        for other in others:
            longest, line = max(longest, line), len(other.encode())
    return max(longest, line) <= LONGEST


@dataclass(frozen=True, slots=True)
class _Entity:
    """A mail as its header describes it. `content` are its Content-* fields, as they stand."""

    data: bytes
    head: int
    type: str
    params: Mapping[str, str]
    encoding: str
    attached: bool
    content: tuple[tuple[str, bytes], ...]

    @property
    def untouchable(self) -> bool:
        """Whether it means nothing any more, or something else, once a line is put into it."""
        if self.type in _UNTOUCHED or _CRYPTIC.match(self.type) or self.encoding == "binary":
            return True
        if self.encoding == "base64":
            return self.data.startswith(_INLINE_PGP_BASE64, self.head)
        return bool(_INLINE_PGP.search(self.data, max(self.head - 1, 0)))

    @classmethod
    def of(cls, data: bytes, head: int) -> _Entity | None:
        """None where the header does not say for certain what the mail is."""
        block = data[:head]
        values: dict[str, bytes] = {}
        content: list[tuple[str, bytes]] = []
        end = 0
        for field in fields(block):
            end = field.end
            name = field.name.lower()
            if not name.startswith(b"content-") and name != b"mime-version":
                continue
            key = name.decode("ascii")
            if key in values or field.spaced or len(key) > 70:
                return None
            values[key] = block[field.value_start : field.value_end]
            if key != "mime-version":
                content.append((field.name.decode("ascii"), block[field.start : field.end]))
        if not end or end == head or body_offset(block, end) != head:
            return None  # no fields, or no empty line after them
        texts = {name: _text(value) for name, value in values.items()}
        type_, params = content_type(texts.get("content-type", "text/plain"), "")
        if not type_:
            return None
        encoding = texts.get("content-transfer-encoding", "").strip().lower()
        attached = texts.get("content-disposition", "").strip().lower().startswith("attachment")
        return cls(data, head, type_, params, encoding, attached, tuple(content))


def _around(entity: _Entity, header: Pieces, footer: Pieces) -> Decoration | None:
    """The lines around a text; None where they cannot share a charset with it."""
    charset = entity.params.get("charset", "us-ascii").strip().lower()
    quoted = entity.encoding == "quoted-printable"
    if entity.attached or not (quoted or entity.encoding in ("", "7bit", "8bit")):
        return None
    edits: tuple[HeaderEdit, ...] = ()
    theirs: Charset = "us-ascii"
    if quoted:
        held = charset in ("utf-8", "utf8") or (
            _is_ascii(header + footer) and _OVER_ASCII.fullmatch(charset)
        )
        if not held or max(len(header), len(footer)) > 1 or _OPEN.search(entity.data[-_END:]):
            return None
    elif charset in ("utf-8", "utf8") and entity.encoding == "8bit":
        theirs = "utf-8"
    elif not _is_ascii(header + footer):
        ours = charset in ("utf-8", "utf8") or (
            charset in ("us-ascii", "ascii") and entity.data.isascii()
        )
        if not ours or not set(entity.params) <= {"charset", "format", "delsp"}:
            return None
        theirs, edits = "utf-8", _as_utf8(entity.params)
    elif not _OVER_ASCII.fullmatch(charset):
        return None
    if entity.params.get("format", "").lower() == "flowed":
        header, footer = _stuffed(header), _stuffed(footer)
    if quoted:
        header, footer = _quoted(header), _quoted(footer)
    # the empty lines also end flowed paragraphs, ours and one that the author left open
    above, below = _lines(header, after="\r\n"), _lines(footer, before="\r\n")
    return Decoration(
        edits,
        (
            *_put(entity.head, above, theirs),
            *_put(len(entity.data), below, theirs),
        ),
    )


def _quoted(lines: Pieces) -> Pieces:
    """In quoted-printable; no field may be among them, whose value nobody would encode."""
    return tuple(binascii.b2a_qp(piece.encode()).decode("ascii") for piece in lines)


def _put(at: int, pieces: Pieces, charset: Charset) -> tuple[Insertion, ...]:
    return (Insertion(at=at, pieces=pieces, charset=charset),) if pieces else ()


def _as_utf8(params: Mapping[str, str]) -> tuple[HeaderEdit, ...]:
    """The same text/plain, said to be UTF-8, of which ASCII is a part."""
    flow = "".join(
        f"; {name}={value}"
        for name in ("format", "delsp")
        if (value := params.get(name, "")) and value.isascii() and value.isalnum()
    )
    return (
        edit("set", "MIME-Version", "1.0"),
        edit("set", "Content-Type", f"text/plain; charset=utf-8{flow}"),
        edit("set", "Content-Transfer-Encoding", "8bit"),
    )


def _more_parts(
    entity: _Entity, delimiter: str, header: Pieces, footer: Pieces
) -> Decoration | None:
    """Header and footer as the first and the last part of a multipart/mixed."""
    found = _delimiters(entity.data, entity.head, delimiter.encode())
    if found is None or _holds(header + footer, delimiter):
        return None
    edits: tuple[HeaderEdit, ...] = ()
    if "utf-8" in (_charset(header), _charset(footer)) and entity.encoding != "8bit":
        edits = (edit("set", "Content-Transfer-Encoding", "8bit"),)
    return Decoration(
        edits,
        tuple(
            Insertion(at=at, pieces=_part(delimiter, lines), charset=_charset(lines))
            for at, lines in zip(found, (header, footer), strict=True)
            if lines
        ),
    )


def _wrap(entity: _Entity, header: Pieces, footer: Pieces) -> Decoration | None:
    """The whole mail as a part of a multipart/mixed, header and footer as parts around it."""
    boundary = f"=_{hashlib.sha256(entity.data).hexdigest()[:32]}"
    delimiter = f"--{boundary}"
    if delimiter.encode() in entity.data or _holds(header + footer, delimiter):
        return None
    moved = wire.folded(wire.canonical(b"".join(octets for _, octets in entity.content)))
    try:
        inner = moved.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if len(moved) > _MOVED:
        return None
    charsets = (_charset(header), _charset(footer))
    plain = "utf-8" not in charsets and entity.data.isascii()
    eight_bit = entity.encoding == "8bit" or not plain
    names = dict.fromkeys(name.lower() for name, _ in entity.content)
    edits = [
        *(edit("remove", name) for name in names),
        edit("set", "MIME-Version", "1.0"),
        edit("set", "Content-Type", f'multipart/mixed; boundary="{boundary}"'),
    ]
    if eight_bit:
        edits.append(edit("set", "Content-Transfer-Encoding", "8bit"))
    theirs, end = f"{delimiter}\r\n{inner}\r\n", f"{delimiter}--\r\n"
    first = _part(delimiter, header, after=theirs) if header else (theirs,)
    last = _part(delimiter, footer, before="\r\n", after=end) if footer else (f"\r\n{end}",)
    moved_as: Charset = "us-ascii" if inner.isascii() else "utf-8"
    return Decoration(
        tuple(edits),
        (
            Insertion(at=entity.head, pieces=first, charset=max(charsets[0], moved_as)),
            Insertion(at=len(entity.data), pieces=last, charset=charsets[1]),
        ),
    )


def _tidy(footer: Pieces) -> Pieces:
    """Without blanks before a line end, which an empty field may leave and which would join the
    line to the next in a flowed text; but for those of `-- `, the mark of a signature."""
    if not any(footer):
        return ()
    return tuple(
        piece if at % 2 else _BLANKS.sub("", piece if at + 1 < len(footer) else f"{piece}\n")
        for at, piece in enumerate(footer)
    )


def _part(delimiter: str, footer: Pieces, *, before: str = "", after: str = "") -> Pieces:
    charset = _charset(footer)
    encoding = "8bit" if charset == "utf-8" else "7bit"
    head = (
        f"{before}{delimiter}\r\nContent-Type: text/plain; charset={charset}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\nContent-Disposition: inline\r\n\r\n"
    )
    return _lines(footer, before=head, after=after)


def _lines(lines: Pieces, *, before: str = "", after: str = "") -> Pieces:
    """The lines of the list between other lines, its own line ends made CRLF."""
    if not lines:
        return ()
    pieces = [piece if at % 2 else piece.replace("\n", "\r\n") for at, piece in enumerate(lines)]
    pieces[0] = before + pieces[0]
    pieces[-1] += after
    return tuple(pieces)


def _stuffed(footer: Pieces) -> Pieces:
    """For a reader that takes a leading space away. What follows a field begins no line."""
    if not footer:
        return ()
    first, *others = footer
    stuffed = [_STUFFED.sub(" ", first)]
    for at, piece in enumerate(others, 1):
        line, end, rest = piece.partition("\n")
        stuffed.append(piece if at % 2 else f"{line}{end}{_STUFFED.sub(' ', rest)}")
    return tuple(stuffed)


def _delimiters(data: bytes, head: int, delimiter: bytes) -> tuple[int, int] | None:
    """Where the lines begin that open the first part of the multipart and close the last; None
    where there is none, or no part."""
    opened = _delimiter_line(data, head, delimiter, b"")
    closed = _delimiter_line(data, head, delimiter, b"--")
    if opened is None or closed is None or opened > closed:
        return None
    return opened, closed


def _delimiter_line(data: bytes, head: int, delimiter: bytes, end: bytes) -> int | None:
    """Where the first line of `delimiter` and `end`, and nothing else but blanks, begins."""
    wanted, at = delimiter + end, head
    for _ in range(_TRIES):
        at = data.find(wanted, at)
        if at < 0:
            return None
        tail = DELIMITER_TAIL.match(data, at + len(delimiter))
        if tail and (tail[1] or b"") == end and (at == head or data[at - 1] in b"\r\n"):
            return at
        at += len(wanted)
    return None


def _holds(lines: Pieces, text: str) -> bool:
    return any(text in piece for piece in lines)


def _is_ascii(lines: Pieces) -> bool:
    return all(map(str.isascii, lines))


def _charset(footer: Pieces) -> Charset:
    """What a part of its own says the footer is; an address may be other than ASCII."""
    return "us-ascii" if _is_ascii(footer) and "user_email" not in footer[1::2] else "utf-8"


def _text(value: bytes) -> str:
    """A field's value unfolded; empty, which is no type of anything, where it is not ASCII."""
    lines: Iterable[bytes] = re.split(rb"[\r\n]+", value)
    return b"".join(lines).decode("ascii") if value.isascii() else ""
