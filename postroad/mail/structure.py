"""How a whole mail is put together (RFC 2045, 2046): its parts as places in its octets. Pure.

For whoever takes parts out: nothing is decoded or copied, and what cannot be told for certain is
refused rather than guessed, since a reader that guesses otherwise would find what was to go.
`postroad.mail.parts` is for reading the words of a mail, whatever state it is in.

Lines end in CRLF, bare LF or bare CR alike, as `postroad.mail.wire.canonical` will write them.
Time is linear in the size of the mail, for each of its levels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from postroad.mail.fields import body_offset, fields
from postroad.mail.filenames import filenames
from postroad.mail.headers import FIELDS, HEADER_OCTETS
from postroad.mail.parts import DEPTH, PARTS, content_type, parameters
from postroad.mail.words import decode, text_of

PARAMETERS = 1_000  # of one part
BOUNDARY = 200  # octets; RFC 2046 allows 70
LOOKALIKES = 10_000  # lines that begin as a delimiter does, and are none
MESSAGES = ("message/rfc822", "message/global", "message/news")  # RFC 2046, 6532, 5537
_LINE_ENDS = b"\r\n"
_TAIL = re.compile(rb"(--)?[ \t]*+(?:\r\n|[\r\n]|\Z)")  # of a delimiter line
# Lines before the first empty one, behind one that is no field: some readers read on.
_BEHIND = re.compile(rb"(?>(?:(?!content-)[^\r\n]++(?:\r\n|[\r\n]))*)content-", re.IGNORECASE)
_COMPOSITE = re.compile(r"\s*+(?:multipart|message)\b", re.IGNORECASE)
_WHOLE = re.compile(r"\s*+\w++\s*+/\s*+[\w!#$&^.+-]++\s*+(?:[;(]|\Z)", re.ASCII)
_UNENCODED = ("", "7bit", "8bit", "binary")
_TYPE, _ENCODING = "content-type", "content-transfer-encoding"
_DISPOSITION = "content-disposition"


class Unreadable(ValueError):
    """How this mail is put together cannot be told, or not within the limits. Its text says why,
    for people, and quotes nothing of the mail."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A mail or a part of one. All numbers are offsets into the mail.

    `start` is where its header begins, `fields_end` where the last field of that ends, `body` where
    its body begins, `end` the octet after it; `line` is where the delimiter line before it begins
    (of what no delimiter precedes: `start`). `type` is lower-case `type/subtype`, `typed` whether
    it says so itself, `names` are all readings of its file names (`filenames`), decoded. `content`
    are the places of its Content-* fields. `parts` are those of a multipart, and the mail itself of
    an attached one; `close` is where the delimiter line after the last begins, or `end` where there
    is none.
    """

    line: int
    start: int
    fields_end: int
    body: int
    end: int
    type: str
    typed: bool
    params: dict[str, str]
    names: tuple[str, ...]
    encoding: str
    content: tuple[tuple[int, int], ...]
    parts: tuple[Entity, ...] = ()
    close: int = 0

    @property
    def encoded(self) -> bool:
        """Whether its body is in base64, quoted-printable or something unknown."""
        return self.encoding not in _UNENCODED

    @property
    def multipart(self) -> bool:
        """Whether it has parts between delimiters."""
        return self.type.startswith("multipart/")


def read(data: bytes, levels: int = DEPTH) -> Entity:
    """The structure of a whole mail, of at most so many `levels`. Raises Unreadable."""
    return _Reader(data).entity(0, 0, len(data), "text/plain", levels)


def below(entity: Entity) -> Iterator[Entity]:
    """The entity and all that is in it, in their order."""
    yield entity
    for part in entity.parts:
        yield from below(part)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._parts = 0

    def entity(self, line: int, start: int, end: int, default: str, levels: int) -> Entity:
        """The entity between `start` and `end`, with at most so many `levels` below it."""
        self._parts += 1
        if self._parts > PARTS:
            raise Unreadable(f"it has more than {PARTS} parts")
        fields_end, body, values, content = self._header(start, end)
        type_, params = content_type(values.get(_TYPE, ""), "")
        if _COMPOSITE.match(values.get(_TYPE, "")) and not _WHOLE.match(values[_TYPE]):
            raise Unreadable("a part has a type that cannot be read")
        typed = parameters(values.get(_TYPE, ""))
        told = (*typed, *parameters(values.get(_DISPOSITION, "")))
        if len(told) > PARAMETERS:
            raise Unreadable(f"a part has more than {PARAMETERS:,} parameters")
        names = filenames(values.get(_TYPE, ""), values.get(_DISPOSITION, ""))
        whole = Entity(
            line=line,
            start=start,
            fields_end=fields_end,
            body=body,
            end=end,
            type=type_ or default,
            typed=bool(type_),
            params=params,
            names=tuple(decode(text, HEADER_OCTETS) for text in names),
            encoding=values.get(_ENCODING, "").strip(" \t\"'").lower(),
            content=content,
        )
        attached = whole.type in MESSAGES and not whole.encoded
        if not (whole.multipart or attached):
            return whole
        if levels == 0:
            raise Unreadable(f"it is nested deeper than {DEPTH} levels")
        if attached:
            return replace(whole, parts=(self.entity(body, body, end, "text/plain", levels - 1),))
        if len({text for name, text in typed if name == "boundary"}) > 1:
            raise Unreadable("a multipart has two boundaries")
        return self._multipart(whole, levels)

    def _header(
        self, start: int, end: int
    ) -> tuple[int, int, dict[str, str], tuple[tuple[int, int], ...]]:
        """Where its fields end and its body begins, what describes that, and the places of the
        Content-* fields."""
        window = self._data[start : min(end, start + HEADER_OCTETS + 1)]
        values: dict[str, str] = {}
        content = []
        at = 0
        for count, field in enumerate(fields(window)):
            if count == FIELDS:
                raise Unreadable(f"a header has more than {FIELDS:,} fields")
            at = field.end
            name = field.name[:100].decode("ascii").lower()
            if not name.startswith("content-"):
                continue
            content.append((start + field.start, start + field.end))
            if name in (_TYPE, _ENCODING, _DISPOSITION):
                value = _unfolded(window[field.value_start : field.value_end])
                if values.setdefault(name, value) != value:
                    raise Unreadable(f"a part has two fields {name.title()} that differ")
        body = body_offset(window, at)
        if body > HEADER_OCTETS:
            raise Unreadable(f"a header is longer than {HEADER_OCTETS:,} octets")
        if body == at and _BEHIND.match(window, at):
            raise Unreadable("a header has a line in it that is no field")
        return start + at, start + body, values, tuple(content)

    def _multipart(self, whole: Entity, levels: int) -> Entity:
        boundary = whole.params.get("boundary", "").rstrip().encode("utf-8", "replace")
        if not 0 < len(boundary) <= BOUNDARY:
            raise Unreadable("a multipart has no boundary, or one that is too long")
        default = "message/rfc822" if whole.type == "multipart/digest" else "text/plain"
        parts = []
        close = whole.end
        opened: tuple[int, int] | None = None  # the delimiter line before a part, and its end
        for line, after, closing in islice(self._delimiters(whole, b"--" + boundary), PARTS + 2):
            if opened:
                end = max(opened[1], self._before_line_end(line))
                parts.append(self.entity(*opened, end, default, levels - 1))
            opened = None if closing else (line, after)
            close = line if closing else close
        if opened:
            parts.append(self.entity(*opened, whole.end, default, levels - 1))
        if not parts:
            raise Unreadable("a multipart has no parts")
        return replace(whole, parts=tuple(parts), close=close)

    def _delimiters(self, whole: Entity, delimiter: bytes) -> Iterator[tuple[int, int, bool]]:
        """Each delimiter line of a multipart: where it begins, where it ends, and whether it is
        the closing one, behind which nothing counts."""
        data, at, end = self._data, whole.body, whole.end
        lookalikes = 0
        while (at := data.find(delimiter, at, end)) >= 0:
            after = at + len(delimiter)
            begins = at == whole.body or data[at - 1] in _LINE_ENDS
            if begins and (tail := _TAIL.match(data, after, end)):
                yield at, tail.end(), bool(tail[1])
                if tail[1]:
                    return
                at = tail.end()
                continue
            lookalikes += 1
            if lookalikes > LOOKALIKES:
                raise Unreadable("too many lines look like delimiters of parts, and are none")
            at = after

    def _before_line_end(self, at: int) -> int:
        """Where the part ends before a delimiter line at `at`, to which the line end belongs."""
        return at - (2 if self._data[at - 2 : at] == b"\r\n" else 1)


def _unfolded(value: bytes) -> str:
    return text_of(value.replace(b"\r", b"").replace(b"\n", b"")).strip()
