"""Which words a letter has for whom: the list's own, the site's, or ours. Pure.

The language comes first: that of the reader, of the list, of the site, then English. In each the
list's own text counts, then the site's, then ours. An own text without language is for every one.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from postroad.mail.addresses import Form
from services.membership.languages import BUILT_IN, ENGLISH
from services.membership.letters import own
from services.membership.letters.catalog import Catalog, Text, built_in, texts

Source = Literal["built in", "site", "list"]
Key = tuple[str, str]  # letter, language; empty for every language
Texts = Mapping[Key, str]  # as typed


@dataclass(frozen=True)
class Site:
    """What the site has of its own: its `language`, `texts`, and `catalogs` by language."""

    language: str = ENGLISH
    texts: Texts = field(default_factory=dict)
    catalogs: Mapping[str, Catalog] = field(default_factory=dict)

    @property
    def languages(self) -> Sequence[str]:
        """Every language there is."""
        typed = (language for _, language in self.texts if language)
        return tuple(dict.fromkeys((*BUILT_IN, *self.catalogs, *typed)))


class Found(NamedTuple):
    """A text, in which language it is, and whose; one that is not ours also as it was `typed`."""

    text: Text
    language: str
    source: Source
    typed: str = ""


@dataclass(frozen=True)
class Wording:
    """What letters of one list say to one reader. `languages` are theirs, the best first."""

    languages: tuple[str, ...] = ()
    of_list: Texts = field(default_factory=dict)
    site: Site = field(default_factory=Site)

    def find(self, name: str, form: Form, first: str = "") -> Found:
        """The text of this name for a list with this form of addresses; `first` is the language
        that it stands beside. What a newer release would refuse is passed over."""
        for language in dict.fromkeys((first, *self.languages, self.site.language)):
            if language and (found := self._in(name, form, language)):
                return found
        return self._in(name, form, ENGLISH) or Found(texts()[name], ENGLISH, "built in")

    def _in(self, name: str, form: Form, language: str) -> Found | None:
        theirs = self.site.catalogs.get(language, _NOTHING)
        ours = theirs.texts.get(name) or built_in(language).texts.get(name)
        places: tuple[tuple[Source, Texts], ...] = (
            ("list", self.of_list),
            ("site", self.site.texts),
        )
        for source, typed in places:
            for key in ((name, language), (name, "")):
                with contextlib.suppress(ValueError, KeyError):
                    own.check(name, typed[key], form)
                    text = own.read(name, typed[key])
                    subject = text.subject or (ours or texts()[name]).subject
                    text = replace(text, subject=subject)
                    return Found(text, language, source, typed[key])
        if ours is None:
            return None
        return Found(ours, language, "site" if name in theirs.texts else "built in")

    def phrase(self, name: str, language: str) -> str:
        """A part of a sentence, in this language if it is known there."""
        theirs = self.site.catalogs.get(language, _NOTHING).phrases
        for known in (theirs, built_in(language).phrases, built_in(ENGLISH).phrases):
            if said := known.get(name):
                return said
        raise KeyError(name)


def version(name: str, text: Text) -> str:
    """The name of a text, and a digest of its words as they are today: 48 bits of SHA-256."""
    words = {key: getattr(text, key) for key in ("subject", "text", "none", "member")}
    return f"{name} {hashlib.sha256(msgspec.json.encode(words)).hexdigest()[:12]}"


_NOTHING = Catalog({}, {})
