"""The class of one failure, from its codes and its words. Pure."""

from __future__ import annotations

from postroad.mail.bounce import codes, wording
from postroad.mail.bounce.codes import Code
from postroad.mail.bounce.kinds import Kind


def kind_of(code: Code, diagnostic: str, letter: str = "", *, delayed: bool = False) -> Kind:
    """Why a mail was not delivered. `diagnostic` is what the server said of this recipient,
    `letter` what the report says to people, which is read only where the rest does not tell."""
    told = wording.meaning(wording.plain(diagnostic))
    if delayed or code.temporary:
        full = told == "full" or code.status[2:] == "2.2"
        return "full" if full else "soft"
    by_code = codes.judged(code)
    if told and _counts(told, by_code):
        return told
    if by_code:
        return _kind(by_code)
    return _kind(wording.meaning(wording.plain(letter)) if letter else "")


def _counts(told: str, by_code: str) -> bool:
    """Whether words overrule a code: those that are the same for many causes do not."""
    if told == "soft":
        return by_code in ("", "soft")
    return not (told == "hard" and by_code == "full")


def _kind(name: str) -> Kind:
    match name:
        case "hard" | "full" | "policy" | "soft":
            return name
        case _:
            return "unknown"
