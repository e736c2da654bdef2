"""What a subject says, less what replies, forwards, lists and gateways put around it."""

from __future__ import annotations

import re

# `Re: `, `AW[2]: `, `Fwd: ` in the languages of common mail programs, and `[tags]` of lists.
_BEFORE = re.compile(
    r"\s*+(?:(?:re|aw|antw|antwort|sv|vs|vl|ynt|odp|res|resp|ref|rif|ri|r|fw|fwd|wg|tr|rv|enc"
    r"|doorst|vb|vá|ha|ang|na|bls|ats|atb|atg|ynb|ilt|i|pd|fs|továbbítás"
    r"|回复|答复|回覆|转发|轉寄|返信|転送|הועבר|השב|رد|σχετ|απ)"
    r"(?:\[\d{1,3}\]|\(\d{1,3}\)|\^?\d{1,3})?\s?[:\uff1a]|\[[^\[\]]{0,100}\])\s*+",
    re.IGNORECASE,
)
_AFTER = re.compile(r"\[[^\[\]]{0,100}\]")


def is_reply(subject: str) -> bool:
    """Whether a decoded subject says that it answers or forwards another: `Re:`, `AW:`, `Fwd:`."""
    at = 0
    while found := _BEFORE.match(subject, at):
        if not found[0].lstrip().startswith("["):
            return True
        at = found.end()
    return False


def bare(subject: str) -> str:
    """A decoded subject without reply and forward prefixes and `[tags]` before it, and without
    tags after it (`[EXTERNAL]`)."""
    at = 0
    while found := _BEFORE.match(subject, at):
        at = found.end()
    text = subject[at:].strip()
    while text.endswith("]") and _AFTER.fullmatch(text, start := max(text.rfind("["), 0)):
        text = text[:start].rstrip()
    return text
