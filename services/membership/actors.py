"""Who did it: the actor of an envelope, and that in words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

OPERATOR = "operator"
ERASED = "erased"
_LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}")


def operator(by: str) -> str:
    """The actor for a command that the login name `by` gave; without it where it is none."""
    return f"{OPERATOR}:{by}" if _LOGIN.fullmatch(by) else OPERATOR


def person_of(actor: str) -> str:
    """The person that an actor is, empty for any other."""
    kind, _, person = actor.partition(":")
    return person if kind == "person" else ""


def told(actor: str, addresses: Mapping[str, str], subject: str = "") -> str:
    """Who an actor is, in words. `addresses` are those of persons, who are erased where they have
    none; `subject` is the person whom it was done to."""
    kind, _, rest = actor.partition(":")
    if kind == OPERATOR:
        return f"{rest} at the command line" if rest else "the command line"
    if kind == "person":
        return "themselves" if rest == subject else addresses.get(rest, ERASED)
    return "Postroad"
