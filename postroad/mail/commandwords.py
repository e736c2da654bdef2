"""Commands as people write them, one a line: Mailman's, and what older systems taught. Pure.

Two strengths of one grammar:

- `exact`: a Subject that is a command and nothing else, for lists that have no other place for
  one. A word too many makes it a post to everybody, so nothing is guessed there.
- `spoken`: a line to -request, where the worst that a guess does is a question or an answer.
  Politeness, decoration and plain English ("please take me off this list") do not matter.

A list's name may stand where other systems wanted it; the name of any other list makes the line
no command.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from postroad.mail.subjectline import bare

LINE_CHARS = 500  # of a line that are read
TOKEN_CHARS = 64  # of a token that are kept; ours have fewer

Option = Literal["own_on", "own_off", "copies_on", "copies_off", "language"]  # of a member
Addresses = Literal["move", "address_add", "address_drop"]
Name = (
    Literal["help", "join", "leave", "confirm", "mail_on", "mail_off", "which", "echo"]
    | Option
    | Addresses
)


class Word(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One command. `token` is that of `confirm` and of a `leave` that has one; `addresses` are
    those it names, and `language` the tag of one, in lower case."""

    name: Name
    token: str = ""
    addresses: tuple[str, ...] = ()
    language: str = ""


_EXACT: dict[str, Name] = {
    "help": "help",
    "join": "join",
    "subscribe": "join",
    "leave": "leave",
    "unsubscribe": "leave",
    "which": "which",
    "echo": "echo",
}
_ADDRESSES: dict[str, Name] = {
    "set": "move",
    "change": "move",
    "add": "address_add",
    "remove": "address_drop",
}
_SETTINGS: dict[tuple[str, ...], Name] = {
    ("mail", "on"): "mail_on",
    ("mail", "off"): "mail_off",
    ("delivery", "on"): "mail_on",
    ("delivery", "off"): "mail_off",
    ("nomail", "on"): "mail_off",
    ("nomail", "off"): "mail_on",
    ("myposts", "on"): "own_on",
    ("myposts", "off"): "own_off",
    ("duplicates", "on"): "copies_on",
    ("duplicates", "off"): "copies_off",
    ("on",): "mail_on",
    ("off",): "mail_off",
    ("mail",): "mail_on",  # these three are Sympa's
    ("nomail",): "mail_off",
    ("postpone",): "mail_off",
}
_VERBS: dict[tuple[str, ...], Name] = {
    **{(word,): name for word, name in _EXACT.items()},
    ("help", "me"): "help",
    ("sub",): "join",
    ("subscribe", "me"): "join",
    ("subscribed",): "join",
    ("add", "me"): "join",
    ("sign", "me", "up"): "join",
    ("sign", "up"): "join",
    ("unsub",): "leave",
    ("sig",): "leave",
    ("signoff",): "leave",
    ("sign", "off"): "leave",
    ("sign", "me", "off"): "leave",
    ("opt", "out"): "leave",
    ("unsubscribe", "me"): "leave",
    ("unsubscribed",): "leave",
    ("remove",): "leave",
    ("remove", "me"): "leave",
    ("removed",): "leave",
    ("take", "me", "off"): "leave",
}
_LONGEST = max(map(len, _VERBS))
_BEFORE = (
    ("please",),
    ("pls",),
    ("kindly",),
    ("bitte",),
    ("hi",),
    ("hello",),
    ("can", "you"),
    ("could", "you"),
    ("would", "you"),
    ("will", "you"),
    ("let", "me"),
    ("i", "want", "to"),
    ("i", "wish", "to"),
    ("i", "would", "like", "to"),
    ("i'd", "like", "to"),
    ("be",),
)
_POLITE = ("please", "pls", "thanks", "bitte")
_AFTER = ("from", "to", "off", "this", "the", "your", "mailing", "list", "now", *_POLITE)
_NAME_WORDS = 4  # of a person, after the name of the list, as LISTSERV and Sympa have it
_AROUND = "\"'`<>()[]{}*_.,;:!?“”„‚‘’«»\u200b\ufeff"
_CONFIRM = re.compile(r"[a-z2-7]{26}")  # 128 random bits
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,3}")
_LEAVE = re.compile(r"[a-z2-7]{32}")  # see postroad.mail.tokens


def list_names(addresses: Collection[str]) -> frozenset[str]:
    """What a list with these addresses may be called in a command."""
    folded = [address.casefold() for address in addresses]
    return frozenset((*folded, *(address.rpartition("@")[0] for address in folded)))


def exact(subject: str, names: Collection[str] = ()) -> Word | None:
    """The command that a Subject (decoded) is, less what replies put before it; else None.

    `names` are those of the list. A token of its right length tells beyond doubt, so anything
    may stand before `confirm TOKEN`: replies and vacation notices of every mail program are
    for the program, and no post.
    """
    return _exact(bare(subject[: 2 * LINE_CHARS]).casefold().split(), names)


def spoken(line: str, names: Collection[str] = ()) -> Word | None:
    """The command that a line `said` means; None where it means none."""
    words = line.split()
    if not words:
        return None
    if found := _exact(words, names):
        return found
    polite = _after_opening(words)
    match polite:
        case [verb, "address", *_, address] if verb in _ADDRESSES and "@" in address:
            return Word(name=_ADDRESSES[verb], addresses=(_bare(address)[:320],))
        case ["set", *rest]:
            return _setting([word for word in rest if word not in _POLITE], names)
        case ["confirm", token]:
            return Word(name="confirm", token=token[:TOKEN_CHARS])
        case ["echo", *_]:
            return Word(name="echo")
        case ["help", topic] if (topic,) in _VERBS or topic in ("set", "confirm", "end"):
            return Word(name="help")
    for size in range(_LONGEST, 0, -1):
        if name := _VERBS.get(tuple(polite[:size])):
            return _about(name, polite[size:], names)
    return None


def said(line: str) -> str:
    """A line folded, without quotation marks and other decoration around its words."""
    folded = line[:LINE_CHARS].replace("’", "'").casefold()
    return " ".join(filter(None, map(_bare, folded.split())))


def as_written(word: Word, line: str) -> Word:
    """The same, with the address that somebody wants to have, or not, as it stands in the line
    before it was `said`: to its own server upper and lower case may differ."""
    if word.name not in _ADDRESSES.values():
        return word
    written = {said(each): _bare(each)[:320] for each in line.split()}
    found = tuple(written.get(each, each) for each in word.addresses)
    return msgspec.structs.replace(word, addresses=found)


def _exact(words: Sequence[str], names: Collection[str]) -> Word | None:
    match words:
        case [*_, "confirm", token] if _CONFIRM.fullmatch(token):
            return Word(name="confirm", token=token)
        case [word] if word in _EXACT:
            return Word(name=_EXACT[word])
        case ["leave" | "unsubscribe", token] if _LEAVE.fullmatch(token):
            return Word(name="leave", token=token)
        case [verb, "address", address] if verb in _ADDRESSES and "@" in address:
            return Word(name=_ADDRESSES[verb], addresses=(address[:320],))
        case ["set", *rest]:
            return _setting(rest, names)
        case _:
            return None


def _setting(rest: Sequence[str], names: Collection[str]) -> Word | None:
    """`set mail off`, `set nomail`, `set team nomail`, `set language de`."""
    for words in (rest, rest[1:] if rest and rest[0] in names else ()):
        match words:
            case ["language", tag] if _LANGUAGE.fullmatch(tag):
                return Word(name="language", language=tag)
            case _ if name := _SETTINGS.get(tuple(words)):
                return Word(name=name)
    return None


def _about(name: Name, rest: Sequence[str], names: Collection[str]) -> Word | None:
    """The command with what it is about, where that is the list, an address, or who asks."""
    words = [word for word in rest if word not in _AFTER]
    named = bool(words) and words[0] in names
    addresses = [_bare(word.removeprefix("address=")) for word in words if "@" in word]
    others = [word for word in words if "@" not in word and word not in names]
    if name == "join":
        others = [word for word in others if not word.startswith("digest=")]
        if named and len(others) <= _NAME_WORDS:
            others = []
    if others:
        return None
    return Word(name=name, addresses=tuple(dict.fromkeys(each[:320] for each in addresses)))


def _after_opening(words: Sequence[str]) -> list[str]:
    """What follows `please`, `I would like to` and their kin."""
    left = list(words)
    while opening := next((each for each in _BEFORE if tuple(left[: len(each)]) == each), None):
        del left[: len(opening)]
    return left


def _bare(word: str) -> str:
    return word if word == "--" else word.strip(_AROUND)
