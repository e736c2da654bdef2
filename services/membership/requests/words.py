"""Commands as people write them: Mailman's, and what older systems taught. Pure.

They stand in the Subject, or in the first ten lines of the text. Case does not matter, nor do
`Re:`, quotation marks and politeness. What a reply quotes is no command, but for `confirm`,
which only works with a token that the quoted mail brought.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import dropwhile, islice
from typing import Literal

import msgspec

from postroad.mail.subjectline import bare

LINES = 10  # of the text, as Mailman reads them
LINE_CHARS = 500  # of a line that are read
TOKEN_CHARS = 64  # of a token that are kept; ours have fewer

Name = Literal["help", "join", "leave", "confirm", "mail_on", "mail_off", "which", "echo"]


class Word(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One command. `token` is that of `confirm` and of a `leave` that has one; `addresses` are
    those it names, in lower case."""

    name: Name
    token: str = ""
    addresses: tuple[str, ...] = ()


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a mail asks for, each command once, in order. `strange`: it says something, and none
    of it is a command."""

    words: tuple[Word, ...] = ()
    strange: bool = False


_NAMES: dict[str, Name] = {
    "help": "help",
    "join": "join",
    "subscribe": "join",
    "sub": "join",
    "leave": "leave",
    "unsubscribe": "leave",
    "unsub": "leave",
    "signoff": "leave",
    "sig": "leave",
    "remove": "leave",
    "confirm": "confirm",
    "which": "which",
    "echo": "echo",
}
_ENDS = ("end", "stop", "quit", "--")
_ON = ("mail", "on", "regular", "enabled", "enable")
_OFF = ("nomail", "off", "disabled", "disable", "postpone")
_FILLERS = ("please", "me", "pls", "thanks", "bitte")
_QUOTE = re.compile(r"(?:[>|]\s?)+")
_AROUND = "\"'`<>()[]{}*_.,;:!?“”„‚‘’«»\u200b\ufeff"
_OURS = re.compile(r"[a-z2-7]{26}|[a-z2-7]{32}")  # a confirmation's token, a leave token


def read(subject: str, text: str) -> Request:
    """The commands in a mail: its Subject (decoded), and its first text."""
    found: dict[Word, None] = {}
    strange = False
    ended = False
    for line, quoted in _lines(bare(subject), text):
        if line.split()[0] in _ENDS and len(line.split()) == 1:
            ended = True
            break
        word = _word(line)
        if quoted and (word is None or word.name != "confirm"):
            continue
        if word is None:
            strange = True
        else:
            found[word] = None
    return Request(words=tuple(found), strange=strange and not found and not ended)


def _lines(subject: str, text: str) -> Iterator[tuple[str, bool]]:
    """What may be commands, folded and bare of decoration, each with whether it is quoted."""
    body = dropwhile(lambda line: not line.strip(), text.split("\n"))
    for line in (subject, *islice(body, LINES)):
        written = line[:LINE_CHARS].strip()
        quote = _QUOTE.match(written)
        said = written[quote.end() :] if quote else written
        if words := " ".join(filter(None, map(_bare, said.casefold().split()))):
            yield words, quote is not None


def _bare(word: str) -> str:
    return word if word == "--" else word.strip(_AROUND)


def _word(line: str) -> Word | None:
    first, *rest = line.split()
    rest = [word for word in rest if word not in _FILLERS]
    if first == "set":
        return _setting(rest)
    match _NAMES.get(first):
        case "confirm" if len(rest) == 1:
            return Word(name="confirm", token=rest[0][:TOKEN_CHARS])
        case "join":
            return Word(name="join", addresses=_addresses(rest))
        case "leave" if len(rest) == 1 and _OURS.fullmatch(rest[0]):
            return Word(name="leave", token=rest[0])
        case "leave" if len(rest) <= 1:
            return Word(name="leave", addresses=_addresses(rest))
        case "help" if len(rest) <= 1:
            return Word(name="help")
        case "which" if not rest:
            return Word(name="which")
        case "echo":
            return Word(name="echo")
        case _:
            return None


def _setting(rest: list[str]) -> Word | None:
    """`set mail`, `set delivery off`, `set team nomail`, `set nomail off`."""
    off = bool(rest) and rest[-1] in _OFF
    if not rest or rest[-1] not in _ON + _OFF or len(rest) > 3:
        return None
    if rest[-2:-1] == ["nomail"]:
        off = not off
    return Word(name="mail_off" if off else "mail_on")


def _addresses(rest: list[str]) -> tuple[str, ...]:
    """The addresses among options: `address=a@b`, or plain, as older systems had it."""
    plain = (_bare(word.removeprefix("address=")) for word in rest)
    return tuple(dict.fromkeys(word[:320] for word in plain if "@" in word))
