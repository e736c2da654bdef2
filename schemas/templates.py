"""Requests to membership about what letters say. Never stored, as those of schemas.commands."""

from __future__ import annotations

from schemas.commands import Change, Command


class ListLetters(Command, kw_only=True):
    """Endpoint `letter_ls`: every letter, or one with its text, at a list (or, where none is
    named, on the site) to somebody who reads `language` (where none is named, the list's)."""

    list: str = ""  # address or slug
    letter: str = ""
    language: str = ""


class SetLetter(Change, kw_only=True):
    """Endpoint `letter_set`: a list's own text for a letter, for readers of one language or all; an
    empty one brings back ours."""

    list: str  # address or slug
    letter: str
    language: str = ""
    text: str = ""


class PreviewLetter(Command, kw_only=True):
    """Endpoint `letter_preview`: a letter of a list as it would be sent, with examples for what is
    not known before; with `text` as if the list had that for its own."""

    list: str  # address or slug
    letter: str
    language: str = ""
    text: str = ""
