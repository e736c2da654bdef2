"""A header block cut into its fields, on bytes, with any line ends and any content.

The block ends where the first line stands that is no field: the empty line, or, in a mail that
lacks it, the first line of the body. Lines end in CRLF, bare LF or bare CR alike, exactly as
`postroad.mail.wire.canonical` will write them, so what is scanned is what is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# RFC 5322 3.6.8 names, obsolete white space before the colon (4.5), folded lines. Each octet is
# looked at once: possessive characters, and atomic groups where a group repeats, because Python
# 3.11 before .5 does not go back when a possessive group fails half-way (python/cpython#106052).
_NAME, _GAP = rb"[!-9;-~]++", rb"[ \t]*+"
_VALUE = rb"[^\r\n]*+(?>(?:(?:\r\n|[\r\n])[ \t][^\r\n]*+)*)"
_END = rb"(?:\r\n|[\r\n]|\Z)"
_FIELD = re.compile(rb"(%b)(%b):(%b)%b" % (_NAME, _GAP, _VALUE, _END))
_FIELDS = re.compile(rb"(?>(?:%b%b:%b%b)*)" % (_NAME, _GAP, _VALUE, _END))
_MBOX_LINE = re.compile(rb">?From [^\r\n]*+(?:\r\n|[\r\n])")
_LINE_END = re.compile(rb"\r\n|[\r\n]")


class Field(NamedTuple):
    """One field: its name as written, and where it and its value (with its folding) lie."""

    name: bytes
    start: int
    value_start: int
    value_end: int
    end: int
    spaced: bool  # obsolete white space before the colon


def first_field(data: bytes) -> int:
    """Where the fields begin: after the mbox `From ` line, if there is one."""
    if (mbox := _MBOX_LINE.match(data)) and _FIELD.match(data, mbox.end()):
        return mbox.end()
    return 0


def fields(data: bytes) -> Iterator[Field]:
    """The fields of the header block at the start of `data`."""
    at = first_field(data)
    while match := _FIELD.match(data, at):
        yield Field(match[1], at, match.start(3), match.end(3), match.end(), bool(match[2]))
        at = match.end()


def fields_end(data: bytes, at: int) -> int:
    """Where the run of fields that goes on at `at` ends, without looking into them."""
    rest = _FIELDS.match(data, at)
    return rest.end() if rest else at


def body_offset(data: bytes, fields_end: int) -> int:
    """Where the body begins, given where the last field ends: after the empty line."""
    empty = _LINE_END.match(data, fields_end)
    return empty.end() if empty else fields_end
