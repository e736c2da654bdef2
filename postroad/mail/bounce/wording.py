"""What the words of a bounce mean, by the table in wording.toml. Pure.

Phrases are matched in a plain form of the text (`plain`), so that one phrase covers what servers
write around it; looking takes time linear in the text, which is bounded.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache, lru_cache
from importlib import resources
from itertools import islice
from typing import Literal

from postroad.mail.phrases import folded

Kind = Literal["full", "policy", "hard", "soft"]
Meaning = Literal[
    "rate",
    "size",
    "full",
    "sender",
    "certain",
    "steady",
    "policy",
    "passing",
    "hard",
    "soft",
    "turned",
    "refused",
]
Group = Literal[Meaning, "failed", "delayed", "challenge", "complaint", "original"]
# Nobody must leave a list for what refuses the mail, or will pass: looked for before hard.
ORDER: dict[Meaning, Kind] = {
    "rate": "soft",
    "size": "policy",
    "full": "full",
    "sender": "policy",
    "certain": "hard",
    "steady": "soft",
    "policy": "policy",
    "passing": "soft",
    "hard": "hard",
    "soft": "soft",
    "turned": "policy",
    "refused": "hard",
}
CHARS = 6_000  # of a text that are looked at
GAP = 6  # words that ".." may stand for

ADDRESS = re.compile(
    r"[\w.!#$%&'*+/=?^`{|}~-]{1,100}@(?:[a-z0-9-]{1,63}\.){1,10}[a-z0-9-]{2,63}", re.IGNORECASE
)
_HOST = re.compile(
    r"(?<![\w.-])(?:[\w-]{1,63}\.){1,10}(?:[a-z]{2,63}|\d{1,3}\.\d{1,3})\b", re.IGNORECASE
)
_PARAGRAPHS = re.compile(r"\n[ \t\r]*\n\s*(?=[A-Z])")
_APART = "¶"
_SIGNS = re.compile(r"[\W_]+")
_SET = re.compile(r"\{(\w+)\}")


@lru_cache(16)  # the letter of a report is asked for each of its recipients
def plain(text: str) -> str:
    """Text as phrases are looked for in: folded words with single blanks between them, `addr` for
    each address, `host` for each name of a host, and a sign between paragraphs, which no phrase
    goes across."""
    text = _HOST.sub(" host ", ADDRESS.sub(" addr ", text[:CHARS]))
    paragraphs = (_SIGNS.sub(" ", folded(each)).strip() for each in _PARAGRAPHS.split(text))
    return f" {_APART} ".join(filter(None, paragraphs))[:CHARS]


def says(text: str, group: Group) -> bool:
    """Whether a plain text has a phrase of this group."""
    return _pattern(group).search(text) is not None


@lru_cache(16)
def meaning(text: str) -> Meaning | Literal[""]:
    """Why mail was not delivered, by the words of a plain text: the first group of `ORDER` that it
    has a phrase of; empty where it has none."""
    return next((group for group in ORDER if says(text, group)), "")


def many(text: str, group: Group) -> bool:
    """Whether a plain text has two phrases of this group."""
    return len({found[0] for found in islice(_pattern(group).finditer(text), 20)}) > 1


@cache
def _pattern(group: Group) -> re.Pattern[str]:
    """All phrases of a group: those that begin with a word of a script with blanks are tried where
    a word begins."""
    table = _table()
    words = {name: "|".join(map(_literal, each)) for name, each in table["words"].items()}
    languages = table[group].values()
    phrases = sorted({phrase for each in languages for phrase in each["phrases"]})
    return re.compile("|".join(_compiled(phrase, words) for phrase in phrases))


def _compiled(phrase: str, words: dict[str, str]) -> str:
    gap = rf" (?:[^\s{_APART}]+ ){{0,{GAP}}}?"
    return gap.join(_piece(piece.strip(), words) for piece in phrase.split(".."))


def _piece(piece: str, words: dict[str, str]) -> str:
    """One run of words, with an edge at either end that a `*` takes away."""
    made, at = "", 0
    for found in _SET.finditer(piece):
        made += _literal(piece[at : found.start()]) + f"(?:{words[found[1]]})"
        at = found.end()
    made += _literal(piece[at:])
    begins = piece[:1].isascii()
    ends = piece[-1:].isascii() and not piece.endswith("*")
    return (r"(?<!\w)" if begins else "") + made + (r"(?!\w)" if ends else "")


def _literal(text: str) -> str:
    """A part of a phrase in the plain form; a `*` lets a word go on, at its end or before more."""
    parts = []
    for part in text.split("*"):
        lead = " " if part[:1] == " " else ""
        trail = " " if part[-1:] == " " and part.strip() else ""
        parts.append(lead + re.escape(_SIGNS.sub(" ", folded(part)).strip()) + trail)
    return r"\w*".join(parts)


@cache
def _table() -> dict[str, dict[str, dict[str, list[str]]]]:
    file = resources.files("postroad.mail.bounce") / "wording.toml"
    return tomllib.loads(file.read_text("utf-8"))
