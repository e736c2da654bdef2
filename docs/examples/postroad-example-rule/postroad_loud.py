"""A banner is taken off; loud subjects wait for a moderator; copies say how loud theirs is."""

from __future__ import annotations

from collections.abc import Mapping

from postroad.hooks import Edit, Edits, Hit, Mail

LETTERS = 8  # fewer may be an abbreviation
LOUD = 90  # percent of capitals
BANNER = b"CAUTION: this mail is from outside.\r\n"
TAG = "[EXTERNAL] "


def without_banner(mail: Mail, octets: bytes) -> bytes | None:
    """A rewrite: what the company's mail server put into the text and the Subject is taken off."""
    if not mail.subject.startswith(TAG):
        return None
    return octets.replace(BANNER, b"").replace(TAG.encode(), b"", 1)


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
