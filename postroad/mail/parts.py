"""The parts of a mail (RFC 2045, 2046), on bytes. Never raises, whatever the bytes are.

Our own, because the parser of the standard library raises or hangs on hostile mail. Bounds: the
first MiB of a mail, 500 parts, 30 levels, 64 KiB of each part decoded; time is linear in what is
looked at. Attached messages are parts like any other: `parts(part.body)` looks into one.
"""

from __future__ import annotations

import binascii
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from urllib.parse import unquote_to_bytes

from postroad.mail.fields import body_offset, fields
from postroad.mail.words import in_charset, text_of

OCTETS = 1 << 20
BODY_OCTETS = 65_536
PARTS = 500
DEPTH = 30
LINE_CHARS = 1_000
_FIELDS = 100
_FIELD_OCTETS = 4_000
_BOUNDARY_OCTETS = 200  # RFC 2046 allows 70
_LINE_ENDS = b"\r\n"
DELIMITER_TAIL = re.compile(rb"(--)?[ \t]{0,200}(?:\r\n|[\r\n]|\Z)")  # of a delimiter line

_UNFOLD = re.compile(r"[\r\n]++")
_TYPE = re.compile(r"\s*+([\w!#$&^.+-]{1,127})\s*+/\s*+([\w!#$&^.+-]{1,127})", re.ASCII)
_PARAM = re.compile(r';\s*+([^\s=;"]{1,80})\s*+=\s*+("(?>(?:[^"\\]|\\.)*)"?|[^;\s]*+)', re.ASCII)
_SECTION = re.compile(r"([^*]+)(?:\*(\d{1,3}))?(\*?)")
_NO_BASE64 = re.compile(rb"[^A-Za-z0-9+/]++")

_HTML = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(?P<unseen>script|style|head|title)\b.*?(?:</(?P=unseen)\s*+>|\Z)"
    r"|<\s*+/?(?P<tag>[a-z][a-z0-9]*+)[^<>]*+>?",
    re.IGNORECASE | re.DOTALL,
)
_BREAKS = frozenset(
    ("address", "article", "blockquote", "br", "div", "dl", "dt", "dd", "hr", "li", "ol", "p")
) | frozenset(("h1", "h2", "h3", "h4", "h5", "h6", "pre", "table", "tr", "ul"))
_NO_CHARACTER = re.compile(r"&#0*+[1-9]\d{7,}+;?")  # Python takes no number of 4,301 digits
_BLANK = re.compile(r"[ \t\xa0]*+\n[ \t\xa0\n]*+")


@dataclass(frozen=True, slots=True)
class Part:
    """One part that is no multipart.

    `type` is lower-case `type/subtype`, `params` are the parameters of Content-Type by lower-case
    name, `fields` all its header fields by lower-case name (the first of each, unfolded), `body`
    its octets with the transfer encoding taken off, at most 64 KiB.
    """

    type: str
    params: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        """The body as text (see `read_text`)."""
        return read_text(self.body, self.params.get("charset", ""))

    @property
    def attached(self) -> bool:
        """Whether it calls itself an attachment (RFC 2183)."""
        return self.fields.get("content-disposition", "").strip().lower().startswith("attachment")


def parts(data: bytes) -> Iterator[Part]:
    """The parts of a whole mail, header block first, in the order in which they stand.

    Multiparts are descended into and not given themselves. One whose boundary is missing, or that
    lies too deep, is given as it is. Where the end of a multipart is missing, it goes as far as
    what is around it.
    """
    return islice(_walk(data[:OCTETS], "text/plain", DEPTH), PARTS)


def first_text(data: bytes) -> str:
    """What a person wrote in this mail: its first text/plain with anything in it, else the words
    of its first text/html; at most 64 KiB. Attachments are not looked at."""
    marked_up = ""
    for part in parts(data):
        if part.attached:
            continue
        if part.type == "text/plain" and part.text.strip():
            return part.text
        if part.type == "text/html" and not marked_up:
            marked_up = words_of(part.text)
    return marked_up


def first_lines(data: bytes, count: int) -> tuple[str, ...]:
    """The first lines that a person wrote in this mail, at most `count` and 1,000 characters of
    each, without blanks around them; empty lines are left out."""
    lines = (line[:LINE_CHARS].strip() for line in first_text(data).splitlines())
    return tuple(islice(filter(None, lines), count))


def words_of(markup: str) -> str:
    """The words in HTML, with line breaks where its blocks end. For reading commands, not for
    showing."""
    text = _HTML.sub(_break, markup.replace("\n", " "))
    text = html.unescape(_NO_CHARACTER.sub("\ufffd", text))
    return _BLANK.sub("\n", text).strip()


def _break(match: re.Match[str]) -> str:
    return "\n" if (match["tag"] or "").lower() in _BREAKS else ""


def _walk(data: bytes, default: str, levels: int) -> Iterator[Part]:
    """The parts of one entity: header block and body."""
    found: dict[str, str] = {}
    end = 0
    for each in islice(fields(data), _FIELDS):
        name = each.name[:100].decode("ascii").lower()
        cut = min(each.value_end, each.value_start + _FIELD_OCTETS)
        found.setdefault(name, _unfolded(data[each.value_start : cut]))
        end = each.end
    body = body_offset(data, end)
    type_, params = content_type(found.get("content-type", ""), default)
    boundary = params.get("boundary", "").rstrip().encode("utf-8", "replace")
    inner: tuple[tuple[int, int], ...] = ()
    if type_.startswith("multipart/") and levels and 0 < len(boundary) <= _BOUNDARY_OCTETS:
        inner = tuple(islice(_bodies(data, b"--" + boundary, body), PARTS))
    if inner:
        default = "message/rfc822" if type_ == "multipart/digest" else "text/plain"
        for start, stop in inner:
            yield from _walk(data[start:stop], default, levels - 1)
    else:
        encoding = found.get("content-transfer-encoding", "").strip(" \t\"'").lower()
        octets = decoded(data[body : body + 4 * BODY_OCTETS], encoding)[:BODY_OCTETS]
        yield Part(type_, params, found, octets)


def content_type(value: str, default: str = "text/plain") -> tuple[str, dict[str, str]]:
    """`type/subtype` in lower case and the parameters (RFC 2045, RFC 2231) of a Content-Type, of
    two of one name the first."""
    media = _TYPE.match(value)
    if media is None:
        return default, {}
    params: dict[str, str] = {}
    for name, text in parameters(value):
        params.setdefault(name, text)
    return f"{media[1]}/{media[2]}".lower(), params


def parameters(value: str) -> list[tuple[str, str]]:
    """Every parameter of a Content-Type or Content-Disposition by lower-case name, as often as it
    stands there; what RFC 2231 cuts into sections is one."""
    found: list[tuple[str, str]] = []
    joined: dict[str, int] = {}
    for name, raw in _PARAM.findall(value):
        text = re.sub(r"\\(.)", r"\1", raw.strip('"')) if raw[:1] == '"' else raw
        section = _SECTION.fullmatch(name.lower())
        if section is None:
            continue
        if section[3]:
            octets = unquote_to_bytes(text if section[2] not in (None, "0") else _extended(text))
            text = text_of(octets)
        at = joined.get(section[1])
        if section[2] is None or at is None:
            if section[2] is not None:
                joined[section[1]] = len(found)
            found.append((section[1], text))
        else:
            found[at] = (section[1], (found[at][1] + text)[:_FIELD_OCTETS])
    return found


def _extended(text: str) -> str:
    """What stands after charset and language (`utf-8'en'text`)."""
    head, tick, rest = text.partition("'")
    return rest.partition("'")[2] if tick else head


def _bodies(data: bytes, delimiter: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Start and end of each body part (RFC 2046 5.1.1). The line end before a delimiter is its."""
    start = -1
    while (at := data.find(delimiter, at)) >= 0:
        after = at + len(delimiter)
        tail = DELIMITER_TAIL.match(data, after) if at == 0 or data[at - 1] in _LINE_ENDS else None
        if tail:
            if start >= 0:
                yield start, max(start, _before_line_end(data, at))
            if tail[1]:
                return
            start = tail.end()
        at = after
    if start >= 0:
        yield start, len(data)


def _before_line_end(data: bytes, at: int) -> int:
    return at - (2 if data[at - 2 : at] == b"\r\n" else 1)


def read_text(octets: bytes, charset: str) -> str:
    """A text with bare LF line ends, by a closed table of charsets; what does not decode is shown
    as U+FFFD. Never raises."""
    charset = charset.strip().lower()
    plain = charset in ("", "us-ascii", "ascii")
    text = text_of(octets) if plain else in_charset(octets, charset)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unfolded(value: bytes) -> str:
    return _UNFOLD.sub("", text_of(value)).strip()


def decoded(octets: bytes, encoding: str) -> bytes:
    """A body with its transfer encoding (lower case) taken off, as far as it is one; an unknown
    one is none. Never raises."""
    if encoding == "base64":
        octets = _NO_BASE64.sub(b"", octets)
        octets = octets[: len(octets) - (len(octets) % 4 == 1)]
        return binascii.a2b_base64(octets + b"=" * (-len(octets) % 4))
    return binascii.a2b_qp(octets) if encoding == "quoted-printable" else octets
