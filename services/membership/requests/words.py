"""The commands in a mail: in the Subject, or in the first ten lines of the text. Pure.

What a line means is `postroad.mail.commandwords`'s to say. What a reply quotes is no command, but
for `confirm`, which only works with a token that the quoted mail brought.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import dropwhile, islice

import msgspec

from postroad.mail.commandwords import LINE_CHARS, Word, as_written, said, spoken
from postroad.mail.subjectline import bare

LINES = 10  # of the text, as Mailman reads them


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a mail asks for, each command once, in order. `strange`: it says something, and none
    of it is a command."""

    words: tuple[Word, ...] = ()
    strange: bool = False


_ENDS = ("end", "stop", "quit", "--")
_QUOTE = re.compile(r"(?:[>|]\s?)+")


def read(subject: str, text: str, names: Collection[str] = ()) -> Request:
    """The commands in a mail: its Subject (decoded), and its first text. `names` are those of
    the list."""
    found: dict[Word, Word] = {}
    strange = False
    ended = False
    for written, line, quoted in _lines(bare(subject), text):
        if line in _ENDS:
            ended = True
            break
        word = spoken(line, names)
        if quoted and (word is None or word.name != "confirm"):
            continue
        if word is None:
            strange = True
        else:
            found.setdefault(word, as_written(word, written))
    return Request(words=tuple(found.values()), strange=strange and not found and not ended)


def _lines(subject: str, text: str) -> Iterator[tuple[str, str, bool]]:
    """What may be commands, as written, and folded and bare of decoration; each with whether it is
    quoted."""
    body = dropwhile(lambda line: not line.strip(), text.split("\n"))
    for line in (subject, *islice(body, LINES)):
        written = line[:LINE_CHARS].strip()
        quote = _QUOTE.match(written)
        if words := said(written[quote.end() :] if quote else written):
            yield written, words, quote is not None
