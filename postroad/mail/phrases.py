"""Phrases that tell what a mail is, in the languages people write in: phrases.toml. Pure.

Case, accents, kinds of apostrophes and white space make no difference. Looking takes time linear
in the text, of which the beginning counts: all phrases are literal.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Literal

import msgspec

Group = Literal["undelivered", "receipt", "away_subject", "away_text", "greeting", "no", "off"]
CHARS = 5_000  # of a text that are looked at
_LONE = str.maketrans("ıłøđ’‘`´–—", "ilod''''--")  # letters and signs that Unicode does not split
_EDGE = " \t\"'*_.,!?¡¿…-"


class Phrases(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Phrases of one language or of all: `whole` are all that is said, `begins` stand first,
    `holds` anywhere. A `*` at either end lets the word go on there."""

    whole: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()


class Finder:
    """Looks for phrases."""

    def __init__(self, languages: Iterable[Phrases]) -> None:
        groups = tuple(languages)
        self._whole = frozenset(folded(each) for group in groups for each in group.whole)
        self._begins = _pattern(each for group in groups for each in group.begins)
        self._holds = _pattern(each for group in groups for each in group.holds)

    def find(self, text: str) -> bool:
        """Whether one of them stands where it tells."""
        plain = folded(text[:CHARS])[:CHARS]
        return (
            plain in self._whole
            or self._begins.match(plain) is not None
            or self._holds.search(plain) is not None
        )


@cache
def finder(group: Group) -> Finder:
    """The phrases of a group, in every language."""
    file = resources.files("postroad.mail") / "phrases.toml"
    tables = tomllib.loads(file.read_text("utf-8"))
    return Finder(msgspec.convert(tables[group], dict[str, Phrases]).values())


def folded(text: str) -> str:
    """Text as phrases are compared by: case-folded, without accents, and bare of punctuation
    around it."""
    split = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(char for char in split if not unicodedata.combining(char)).translate(_LONE)
    return " ".join(plain.split()).strip(_EDGE)


def _pattern(phrases: Iterable[str]) -> re.Pattern[str]:
    """Those that begin with a word are tried where one begins, which is seldom."""
    at_words: list[str] = []
    anywhere = ["(?!)"]
    for phrase in sorted(phrases):
        after = "" if phrase.endswith("*") else r"(?!\w)"
        kept = anywhere if phrase.startswith("*") else at_words
        kept.append(re.escape(folded(phrase)) + after)
    return re.compile(rf"(?<!\w)(?:{'|'.join(at_words) or '(?!)'})|{'|'.join(anywhere)}")
