"""Whether a mail tells a password, wherever in it and however it is written there. Pure.

Looked at are its octets as they stand, each header field and its parameters decoded (RFC 2047,
2231), each part without its transfer encoding and as the text it is, what is uuencoded in one, and
messages that are attached in an encoding. Blanks, line ends, backslashes and marks of quotation
count for nothing, so no folding hides it. Packed and encrypted files are not opened.
"""

from __future__ import annotations

import binascii
import html
import re
from collections.abc import Iterable, Iterator
from itertools import islice

from postroad.mail.fields import fields
from postroad.mail.headers import HEADER_OCTETS
from postroad.mail.parts import decoded, parameters, read_text, words_of
from postroad.mail.structure import MESSAGES, Entity, Unreadable, below, read
from postroad.mail.words import decode, text_of

ENCODED = 3  # messages in base64 or quoted-printable, one in the other
BARE = 6  # octets of a password without what counts for nothing; a shorter one is told as it is
_NOTHING = b" \t\r\n\v\f\0>\\"
_INVISIBLE = ("\xa0", "\xad", "\u200b")
_LINE_ENDS = re.compile(rb"[\r\n]++")
_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|[\r\n]|\Z)")
_UUENCODED = re.compile(rb"^begin [0-7]{3,4} [^\r\n]*+[\r\n]++", re.MULTILINE)
_FILES = 100  # uuencoded ones in a part


def tells(data: bytes, passwords: Iterable[str]) -> bool:
    """Whether a whole mail tells any of these, which are not empty. Takes linear time, but for bad
    HTML, for each of them. Raises Unreadable where that cannot be found out."""
    exact = {each.encode(name, "replace") for each in passwords for name in ("utf-8", "cp1252")}
    bare = {short for each in exact if len(short := _bare(each)) >= BARE}
    return any(
        any(each in view for each in exact) or any(each in _bare(view) for each in bare)
        for view in _views(data, ENCODED)
    )


def _bare(octets: bytes) -> bytes:
    return octets.translate(None, _NOTHING)


def _views(data: bytes, levels: int) -> Iterator[bytes]:
    """Everything that is to be read in a mail, with `levels` of attached ones that are encoded."""
    yield data
    for part in below(read(data)):
        yield from _header(data[part.start : part.body])
        if not part.parts:
            yield from _body(part, decoded(data[part.body : part.end], part.encoding), levels)


def _header(head: bytes) -> Iterator[bytes]:
    for field in fields(head):
        value = text_of(_LINE_ENDS.sub(b"", head[field.value_start : field.value_end]))
        yield _octets(decode(value, HEADER_OCTETS))
        yield from (_octets(decode(text, HEADER_OCTETS)) for _, text in parameters(value))


def _body(part: Entity, octets: bytes, levels: int) -> Iterator[bytes]:
    yield octets
    if part.type.startswith("text/"):
        text = read_text(octets, part.params.get("charset", ""))
        yield _octets(text)
        if part.type == "text/html":
            yield _octets(html.unescape(text))
            yield _octets(words_of(text))
    for file in islice(_UUENCODED.finditer(octets), _FILES):
        yield _uudecoded(octets, file.end())
    if part.type in MESSAGES:
        if not levels:
            raise Unreadable("messages that are encoded are attached to each other")
        yield from _views(octets, levels - 1)


def _uudecoded(octets: bytes, at: int) -> bytes:
    """The file whose lines begin here, up to the first that is none of it."""
    found = []
    while (line := _LINE.match(octets, at)) and line[0]:
        text = line[0].rstrip(b"\r\n")
        if text.startswith((b"end", b"begin ")):
            break
        try:
            found.append(binascii.a2b_uu(text))
        except binascii.Error:
            break
        at = line.end()
    return b"".join(found)


def _octets(text: str) -> bytes:
    for each in _INVISIBLE:
        text = text.replace(each, "")
    return text.encode("utf-8", "replace")
