"""The class of one failure, from its codes and its words. Pure."""

from __future__ import annotations

from typing import Literal

from postroad.mail.bounce import codes, wording
from postroad.mail.bounce.codes import Code
from postroad.mail.bounce.kinds import Kind
from postroad.mail.bounce.wording import Meaning


def kind_of(code: Code, diagnostic: str, letter: str = "", *, delayed: bool = False) -> Kind:
    """Why a mail was not delivered. `diagnostic` is what the server said of this recipient,
    `letter` what the report says to people, which is read only where the rest does not tell. What
    failed for good, and nobody says why, is hard."""
    words = wording.plain(diagnostic)
    told = wording.meaning(words)
    if delayed or code.temporary:
        return _passing(code, told, sure=delayed or wording.says(words, "passing"))
    by_code = codes.judged(code)
    if told and _counts(told, by_code, code):
        return wording.ORDER[told]
    if by_code:
        return by_code
    said = wording.meaning(wording.plain(letter)) if letter else ""
    return wording.ORDER[said] if said else "hard"


def _passing(code: Code, told: Meaning | Literal[""], *, sure: bool) -> Kind:
    """The class of a failure that might have passed. One that is given up, because a server would
    not have such mail, is nobody's fault who has no copy; and 4.0.0 says nothing, so words do."""
    if told == "full" or code.status[2:] == "2.2":
        return "full"
    if sure or not told:
        return "soft"
    vague = not code.reply and codes.generic(code.status)
    kind = wording.ORDER[told]
    return (
        kind
        if (kind == "policy" and told != "turned") or (vague and told not in ("turned", "refused"))
        else "soft"
    )


def _counts(told: Meaning, by_code: str, code: Code) -> bool:
    """Whether words overrule a code: those that are the same for many causes do not."""
    match told:
        case "soft" | "passing":
            return by_code in ("", "soft")
        case "turned" | "refused":
            return not by_code
        case "size":
            return code.status[2:] != "2.2"
        case "hard" | "certain":
            return by_code != "full"
        case _:
            return True
