"""The moderator's password taken off a mail, and whether it is told there all the same. Pure.

`Approved: PASSWORD` (`postroad.mail.approval`) stands in the header, where the fields of a copy are
edited, or in every form of the text that a mail program makes: it goes from each text/plain that
begins with it, and from each text/html that holds it. A text in base64 is encoded anew; of others
only the line goes. A mail in which it is still to be found (`telling`) waits, since nobody but
moderators should read it.
"""

from __future__ import annotations

import binascii
import html
import re
from collections.abc import Iterable, Iterator
from itertools import chain

import msgspec

from postroad.mail import approval, edits, wire
from postroad.mail.headers import decoded_fields
from postroad.mail.listheaders import cleansed
from postroad.mail.parts import decoded, first_lines, read_text, words_of
from postroad.mail.structure import Entity, Unreadable, below, read
from services.router.content.job import Left, Piece, joined
from services.router.content.telling import tells

STAYS = (
    "a moderator's password stands in it where it cannot be taken off; "
    "while that counts it cannot be let through"
)
_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|[\r\n]|\Z)")
_SOFT = re.compile(rb"=[ \t]*+(?:\r\n|[\r\n])\Z")  # the line goes on (RFC 2045 6.7)
_GAP = rb"(?>(?:\s|&nbsp;|&#160;|\xc2?\xa0|<[^<>]{0,500}>)*)"
_NAME = rb"(?:X-)?Approved?"


def without_approval(data: bytes) -> Left:
    """What is left of a whole mail without the passwords that it gives. Raises nothing, whatever
    its octets are."""
    given = approval.given(decoded_fields(data), first_lines(data, approval.LINES))
    if not given:
        return Left()
    try:
        return _without(data, given)
    except Unreadable as error:
        return Left(held=f"it cannot be taken apart: {error}; {STAYS}", password=True)


def _without(data: bytes, given: tuple[str, ...]) -> Left:
    pieces: list[Piece] = []
    at = 0
    for part in below(read(data)):
        for start, end, instead in _changes(data, part, given):
            pieces += [(at, start), instead]
            at = end
    made = joined(data, (*pieces, (at, len(data)))) if pieces else data
    less = read(made)
    left = Left(pieces=(*pieces, (at, len(data))), head=less.body) if pieces else Left()
    long = [each for each in given if len(each) >= approval.SHORTEST]
    if any(_is_told(made, part, given) for part in below(less)) or (
        long and tells(_cleansed(made, less), long)
    ):
        return msgspec.structs.replace(left, held=STAYS, password=True)
    return left


def _cleansed(data: bytes, whole: Entity) -> bytes:
    """The mail without the fields that no copy has."""
    head = edits.apply(wire.canonical(data[: whole.body]), cleansed())
    return head + data[whole.body :]


def _changes(data: bytes, part: Entity, given: tuple[str, ...]) -> Iterator[tuple[int, int, bytes]]:
    """Places in a part, and what to put there instead."""
    charset = part.params.get("charset", "")
    octets = data[part.body : part.end]
    if part.type == "text/plain" and part.encoding == "base64":
        text = decoded(octets, part.encoding)
        start, end = _lines(text, charset, "")
        if end:
            yield part.body, part.end, _encoded(text[:start] + text[end:], part.encoding)
    elif part.type == "text/plain":
        start, end = _lines(octets, charset, part.encoding)
        if end:
            yield part.body + start, part.body + end, b""
    elif part.type == "text/html" and any(given):
        text = decoded(octets, part.encoding)
        less = _in_markup(filter(None, given)).sub(b"", text)
        if less != text:
            yield part.body, part.end, _encoded(less, part.encoding)


def _lines(octets: bytes, charset: str, encoding: str) -> tuple[int, int]:
    """Where the lines of passwords begin and end, if they are the first that say something; an
    empty one below them, which only parted them, goes too."""
    if charset.strip().lower().startswith("utf-16"):  # where a line end is two octets, or four
        return 0, 0
    at, first, last = 0, -1, 0
    while at < len(octets):
        end = _line_end(octets, at, encoding)
        line = read_text(decoded(octets[at:end], encoding), charset).strip()
        if line and approval.in_line(line) is None:
            break
        if line:
            first, last = at if first < 0 else first, end
        at = end
    if first < 0:
        return 0, 0
    below = _line_end(octets, last, encoding)
    empty = not read_text(decoded(octets[last:below], encoding), charset).strip()
    return first, below if empty else last


def _line_end(octets: bytes, at: int, encoding: str) -> int:
    while (line := _LINE.match(octets, at)) and line[0]:
        at = line.end()
        if encoding != "quoted-printable" or not _SOFT.search(line[0]):
            break
    return at


def _in_markup(given: Iterable[str]) -> re.Pattern[bytes]:
    """The lines as HTML has them, in which tags and blanks may stand anywhere."""
    escaped = ((each, html.escape(each), html.escape(each, quote=False)) for each in given)
    forms = set(chain.from_iterable(escaped))
    octets = {form.encode(name, "replace") for form in forms for name in ("utf-8", "cp1252")}
    words = (_GAP.join(map(re.escape, form.split())) for form in sorted(octets, reverse=True))
    return re.compile(
        rb"%b%b:%b(?:%b)" % (_NAME, _GAP, _GAP, b"|".join(words)), re.IGNORECASE | re.DOTALL
    )


def _encoded(text: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        lines = (text[at : at + 57] for at in range(0, len(text), 57))
        return b"".join(binascii.b2a_base64(line, newline=False) + b"\r\n" for line in lines)
    return binascii.b2a_qp(text, istext=True) if encoding == "quoted-printable" else text


def _is_told(data: bytes, part: Entity, given: tuple[str, ...]) -> bool:
    """Whether a text still has a line that gives one, be it a common word."""
    if not part.type.startswith("text/"):
        return False
    octets = decoded(data[part.body : part.end], part.encoding)
    text = read_text(octets, part.params.get("charset", ""))
    words = words_of(text) if part.type == "text/html" else text
    lines = [line.strip() for line in words.splitlines()]
    if any((approval.in_line(line.lstrip("> \t")) or None) in given for line in lines):
        return True
    first = next(filter(None, lines), "")
    return part.type in ("text/plain", "text/html") and approval.in_line(first) is not None
