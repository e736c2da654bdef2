"""The file names of a part, as any mail program might read them. Pure; never raises.

What is to be kept from members must not pass because another program reads a name otherwise: one
that leaves comments out (RFC 5322 3.2.2), needs no type before `filename=`, takes a comma for a
semicolon, puts sections (RFC 2231) into any order, or takes `%2E` apart that two of them share. So
all the readings are given, and whoever filters judges each. Time is linear in the values.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import count, takewhile
from urllib.parse import unquote_to_bytes

from postroad.mail.words import in_charset, text_of

_NAME = re.compile(
    r"(?<![\w-])(file)?name\s*+(?:\*\s*+(\d{1,9}+))?\s*+(\*)?\s*+=\s*+", re.ASCII | re.IGNORECASE
)
_QUOTED = re.compile(r'"((?>(?:[^"\\]|\\.)*))')
_TOKEN = re.compile(r"[^\s,]*+")
_ESCAPED = re.compile(r"\\(.)")
_COMMENT = re.compile(r'"(?>(?:[^"\\]|\\.)*)"?|\\.|[()]')

Section = tuple[int, str]


def filenames(*values: str) -> tuple[str, ...]:
    """Every reading of `name` and `filename` in these unfolded values of Content-Type and
    Content-Disposition, each once. Encoded words in them are left as they are."""
    found: dict[str, None] = {}
    for value in values:
        for text in dict.fromkeys((value, _without_comments(value))):
            found |= dict.fromkeys(_readings(text))
    return tuple(found)


def _readings(text: str) -> Iterator[str]:
    sections: dict[str, list[Section]] = defaultdict(list)
    extended: set[str] = set()
    marks = list(_NAME.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    for mark, end in zip(marks, ends, strict=False):  # one end too many where there is none
        base = "filename" if mark[1] else "name"
        if mark[2] is None:
            for name in _values(text, mark.end(), end):
                yield from _percent(name) if mark[3] else (name,)
            continue
        if mark[3]:
            extended.add(base)
        first = next(iter(_values(text, mark.end(), end)), "")
        sections[base].append((int(mark[2]), first))
    for base, pieces in sections.items():
        for order in _orders(pieces):
            whole = "".join(piece for _, piece in order)
            if base not in extended:
                yield whole
            yield from _percent(whole)


def _values(text: str, start: int, end: int) -> Iterator[str]:
    """A quoted string, with its escapes and without; else all up to a semicolon, and the first
    word of that."""
    if quoted := _QUOTED.match(text, start):
        yield _ESCAPED.sub(r"\1", quoted[1])
        yield quoted[1]
        return
    whole = text[start:end].partition(";")[0].strip()
    if word := _TOKEN.match(whole):
        yield word[0]
    yield whole


def _orders(pieces: list[Section]) -> Iterator[Iterable[Section]]:
    """The sections as they stand; by number; and up to a number that is missing, where of two of
    one number the first counts, or the last."""
    yield pieces
    yield sorted(pieces, key=lambda piece: piece[0])
    for ordered in (reversed(pieces), pieces):
        known = dict(ordered)
        yield sorted(known.items())
        yield [(at, known[at]) for at in takewhile(known.__contains__, count())]


def _percent(text: str) -> Iterator[str]:
    """`utf-8'en'a%2Eb` without its percent signs: in its charset, and in none."""
    head, tick, rest = text.partition("'")
    _, another, value = rest.partition("'")
    octets = unquote_to_bytes(value if tick and another else text)
    yield text_of(octets)
    if tick and another:
        yield in_charset(octets, head.strip().lower())


def _without_comments(text: str) -> str:
    """The same without what stands in parentheses, which may stand in each other; those in a
    quoted string are letters."""
    kept: list[str] = []
    depth = at = 0
    while token := _COMMENT.search(text, at):
        if depth == 0:
            kept.append(text[at : token.start()])
        at = token.end()
        match token[0]:
            case "(":
                depth += 1
            case ")":
                depth = max(depth - 1, 0)
            case _ if depth and token[0][0] == '"':
                at = token.start() + 1  # a quotation mark in a comment is a letter
            case _ if depth == 0:
                kept.append(token[0])
    return "".join(kept) + (text[at:] if depth == 0 else "")
