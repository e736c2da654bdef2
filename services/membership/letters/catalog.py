"""What Postroad says by itself, in each language: en.toml, and catalogs of its translations. Pure.

A letter of which a part is not translated, or whose English has changed since, is as if it were
not translated at all: nobody reads half of it in another language.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

import msgspec

from services.membership.languages import BUILT_IN, ENGLISH
from services.membership.letters import po

FIELD = re.compile(r"\{([a-z]+)\}")
ALWAYS = ("name", "list", "description", "join", "leave", "request", "owner")  # in every letter
READER = "address"  # whom a letter goes to; in every one but a confirmation
_FILES = "services.membership.letters"
_WORDS = ("subject", "text", "none")  # keys of a text that are translated


class Text(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of en.toml, which says what its keys mean."""

    about: str = ""
    needs: tuple[str, ...] = ()
    subject: str = ""
    text: str
    none: str = ""
    member: bool = False


class Catalog(NamedTuple):
    """The texts and phrases that there are in one language."""

    texts: Mapping[str, Text]
    phrases: Mapping[str, str]


@cache
def english() -> Catalog:
    """Every text and phrase there is."""
    file = resources.files(_FILES) / f"{ENGLISH}.toml"
    tables = tomllib.loads(file.read_text("utf-8"))
    phrases = msgspec.convert(tables.pop("phrases"), dict[str, str])
    return Catalog(msgspec.convert(tables, dict[str, Text]), phrases)


def texts() -> Mapping[str, Text]:
    """Every text by name, in English."""
    return english().texts


@cache
def built_in(language: str) -> Catalog:
    """What there is in a language; nothing in one that there is not."""
    return english() if language == ENGLISH else read(of(language))


def of(language: str) -> str:
    """Our catalog of a language but English; empty where there is none."""
    if language not in BUILT_IN or language == ENGLISH:
        return ""
    return (resources.files(_FILES) / f"{language}.po").read_text("utf-8")


def read(catalog: str) -> Catalog:
    """A catalog of translations (.po). Raises ValueError for one that is malformed, or has a field
    that its text has not, or lacks one that it needs."""
    entries = po.read(catalog)

    def translated(entry: po.Entry) -> str:
        found = entries.get(entry.context)
        return found.text if found and found.id == entry.id else ""

    found: dict[str, Text] = {}
    for name, text in texts().items():
        words = {key: translated(entry) for key, entry in _entries(name, text)}
        if all(words.values()):
            found[name] = msgspec.structs.replace(text, **words)
            _check(name, words, text.needs)
    phrases = {entry.context: translated(entry) for entry in _phrases()}
    known = {name.partition(".")[2]: words for name, words in phrases.items() if words}
    for name, said in known.items():
        ours = sorted(FIELD.findall(english().phrases[name]))
        if sorted(FIELD.findall(said)) != ours or re.search(r"[{}]", FIELD.sub("", said)):
            raise ValueError(f"phrases.{name}: its fields must be those of the English: {said!r}")
    return Catalog(found, known)


def template(language: str = "", known: str = "") -> str:
    """Everything to be translated, as a catalog (.pot); with what is translated in the catalog
    `known` already, as one of a language (.po). Raises ValueError for one that is malformed."""
    before = po.read(known)
    entries = [entry for name, text in texts().items() for _, entry in _entries(name, text)]
    return po.write(
        (
            entry._replace(text=before[entry.context].text)
            if entry.context in before and before[entry.context].id == entry.id
            else entry
            for entry in (*_phrases(), *entries)
        ),
        language,
    )


def placeholders(name: str) -> tuple[str, ...]:
    """The fields that a text may have: those of every letter, and those of its own."""
    text = texts()[name]
    used = FIELD.findall(text.subject + text.text + text.none)
    reader = () if used.count("token") or used.count("confirm") else (READER,)
    return tuple(dict.fromkeys((*ALWAYS, *reader, *used)))


def _check(name: str, words: Mapping[str, str], needs: tuple[str, ...]) -> None:
    allowed = placeholders(name)
    for key, said in words.items():
        used = re.findall(r"\{([^{}]*)\}", said)
        if strange := [field for field in used if field not in allowed]:
            raise ValueError(f"{name}.{key}: there is no field {{{strange[0]}}} in this text")
        if key != "subject" and needs and not set(needs) & set(used):
            raise ValueError(f"{name}.{key}: it lacks the field {{{needs[0]}}}")


def _entries(name: str, text: Text) -> Iterator[tuple[str, po.Entry]]:
    for key in _WORDS:
        if said := getattr(text, key).strip("\n"):
            yield key, po.Entry(f"{name}.{key}", said, about=text.about)


def _phrases() -> Iterator[po.Entry]:
    for name, said in english().phrases.items():
        yield po.Entry(f"phrases.{name}", said, about="a part of a sentence")
