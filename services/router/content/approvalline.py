"""The moderator's password, as the first line of a text, taken off a mail. Pure.

`Approved: PASSWORD` (`postroad.mail.approval`) stands in every form of the text that a mail program
makes: it goes from each text/plain that begins with it, and from each text/html that holds it. A
text in base64 is encoded anew; of others only the line goes. A mail in which it is still to be
found waits, since nobody but moderators should read it.
"""

from __future__ import annotations

import binascii
import html
import re
from collections.abc import Iterator

from postroad.mail import approval
from postroad.mail.parts import decoded, first_lines, read_text, words_of
from postroad.mail.structure import Entity, Unreadable, below, read
from services.router.content.job import Left, Piece, joined

STAYS = (
    "a moderator's password stands in it where it cannot be taken off; "
    "while that counts it cannot be let through"
)
_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|[\r\n]|\Z)")
_SOFT = re.compile(rb"=[ \t]*+(?:\r\n|[\r\n])\Z")  # the line goes on (RFC 2045 6.7)
_GAP = rb"(?>(?:\s|&nbsp;|&#160;|\xc2?\xa0|<[^<>]{0,500}>)*)"
_NAME = rb"(?:X-)?Approved?"


def without_approval(data: bytes) -> Left:
    """What is left of a whole mail without the password that it gives. Raises nothing, whatever its
    octets are."""
    password = approval.in_line(next(iter(first_lines(data, 1)), ""))
    if password is None:
        return Left()
    try:
        return _without(data, password)
    except Unreadable as error:
        return Left(held=f"it cannot be taken apart: {error}; {STAYS}", password=True)


def _without(data: bytes, password: str) -> Left:
    whole = read(data)
    pieces: list[Piece] = []
    at = 0
    for part in below(whole):
        for start, end, instead in _changes(data, part, password):
            pieces += [(at, start), instead]
            at = end
    pieces.append((at, len(data)))
    made = joined(data, tuple(pieces))
    less = read(made)
    if any(_is_told(made, part, password) for part in below(less)):
        return Left(held=STAYS, password=True)
    return Left(pieces=tuple(pieces), head=less.body)


def _changes(data: bytes, part: Entity, password: str) -> Iterator[tuple[int, int, bytes]]:
    """Places in a part, and what to put there instead."""
    charset = part.params.get("charset", "")
    octets = data[part.body : part.end]
    if part.type == "text/plain" and part.encoding == "base64":
        text = decoded(octets, part.encoding)
        start, end = _line(text, charset, "")
        if end:
            yield part.body, part.end, _encoded(text[:start] + text[end:], part.encoding)
    elif part.type == "text/plain":
        start, end = _line(octets, charset, part.encoding)
        if end:
            yield part.body + start, part.body + end, b""
    elif part.type == "text/html" and password:
        text = decoded(octets, part.encoding)
        less = _in_markup(password).sub(b"", text)
        if less != text:
            yield part.body, part.end, _encoded(less, part.encoding)


def _line(octets: bytes, charset: str, encoding: str) -> tuple[int, int]:
    """Where the line of the password begins and ends, if it is the first that says something; an
    empty one below it, which only parted them, goes too."""
    at = 0
    wide = charset.strip().lower().startswith("utf-16")  # where a line end is two octets, or four
    while at < len(octets) and not wide:
        end = _line_end(octets, at, encoding)
        line = read_text(decoded(octets[at:end], encoding), charset).strip()
        if line and approval.in_line(line) is None:
            break
        if line:
            below = _line_end(octets, end, encoding)
            empty = not read_text(decoded(octets[end:below], encoding), charset).strip()
            return at, below if empty else end
        at = end
    return 0, 0


def _line_end(octets: bytes, at: int, encoding: str) -> int:
    while (line := _LINE.match(octets, at)) and line[0]:
        at = line.end()
        if encoding != "quoted-printable" or not _SOFT.search(line[0]):
            break
    return at


def _in_markup(password: str) -> re.Pattern[bytes]:
    """The line as HTML has it, in which tags and blanks may stand anywhere."""
    forms = {password, html.escape(password), html.escape(password, quote=False)}
    octets = {form.encode(name, "replace") for form in forms for name in ("utf-8", "cp1252")}
    words = (_GAP.join(map(re.escape, form.split())) for form in sorted(octets))
    return re.compile(
        rb"%b%b:%b(?:%b)" % (_NAME, _GAP, _GAP, b"|".join(words)), re.IGNORECASE | re.DOTALL
    )


def _encoded(text: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        lines = (text[at : at + 57] for at in range(0, len(text), 57))
        return b"".join(binascii.b2a_base64(line, newline=False) + b"\r\n" for line in lines)
    return binascii.b2a_qp(text, istext=True) if encoding == "quoted-printable" else text


def _is_told(data: bytes, part: Entity, password: str) -> bool:
    """Whether a text still says it: in a line like that, or, where it cannot be a common word,
    anywhere."""
    if not part.type.startswith("text/"):
        return False
    octets = decoded(data[part.body : part.end], part.encoding)
    text = read_text(octets, part.params.get("charset", ""))
    words = words_of(text) if part.type == "text/html" else text
    if len(password) >= approval.SHORTEST and password in words:
        return True
    lines = [line.strip() for line in words.splitlines()]
    if password and any(approval.in_line(line.lstrip("> \t")) == password for line in lines):
        return True
    first = next(filter(None, lines), "")
    return part.type in ("text/plain", "text/html") and approval.in_line(first) is not None
