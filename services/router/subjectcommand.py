"""A command in the Subject, at a list that has no other place for one (`sub_address = "none"`).

Only a Subject that is nothing but a command counts, less what replies put before it; whatever
else it says, the mail is a post. A token of its right length tells beyond doubt, so anything may
stand before `confirm TOKEN`: a plain reply must confirm. Pure.
"""

from __future__ import annotations

import re

from postroad.mail.addresses import Match
from postroad.mail.subjectline import bare

_CONFIRM = re.compile(r"(?:.*\s)?confirm\s+([a-z2-7]{26})")  # 128 random bits
_LEAVE = re.compile(r"(?:leave|unsubscribe)(?:\s+([a-z2-7]{32}))?")  # see postroad.mail.tokens
_JOIN = re.compile(r"join|subscribe")
# What these want is read from the mail, as in one to -request.
_REQUEST = re.compile(
    r"help|which|confirm\s+\S+|echo(?:\s.*)?"
    r"|set\s+(?:\S+\s+){0,2}(?:mail|nomail|on|off|regular|enabled?|disabled?|postpone)"
)


def subject_command(slug: str, subject: str) -> Match | None:
    """What this subject (decoded) asks of the list `slug`, as if sent to that sub-address; None
    for a post."""
    text = bare(subject).casefold()
    if found := _CONFIRM.fullmatch(text):
        return Match(slug, "confirm", found[1])
    if found := _LEAVE.fullmatch(text):
        return Match(slug, "leave", found[1] or "")
    if _JOIN.fullmatch(text):
        return Match(slug, "join")
    return Match(slug, "request") if _REQUEST.fullmatch(text) else None
