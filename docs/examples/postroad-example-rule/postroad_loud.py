"""Loud subjects wait for a moderator; every copy says how loud its subject is."""

from __future__ import annotations

from collections.abc import Mapping

from postroad.hooks import Edit, Edits, Hit, Mail

LETTERS = 8  # fewer may be an abbreviation
LOUD = 90  # percent of capitals


def count(mail: Mail) -> Mapping[str, str]:
    """A step: what share of the subject's letters are capitals. It is noted as `loud.percent`."""
    letters = [char for char in mail.subject if char.isalpha()]
    capitals = sum(char.isupper() for char in letters)
    percent = 100 * capitals // len(letters) if len(letters) >= LETTERS else 0
    return {"percent": str(percent)}


def check(mail: Mail) -> Hit | None:
    """A rule: who shouts and is no member is held; of a member it is only remarked on."""
    if int(mail.notes["loud.percent"]) < LOUD:
        return None
    return Hit("its subject is in capitals", None if mail.member else "hold")


def mark(mail: Mail) -> Edits:
    """A header edit."""
    return [Edit("set", "X-Loudness", mail.notes["loud.percent"])]
