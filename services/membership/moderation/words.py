"""The verdict in a moderator's reply: one word, in the first line that they wrote. Pure.

Only a clear word counts. What is quoted is not looked at, nor any later line: a vacation notice, or
a signature, decides nothing.
"""

from __future__ import annotations

import re

from postroad.mail.automatic import out_of_office, says_away, undelivered
from postroad.mail.replytext import written
from postroad.mail.words import printable
from services.membership.moderation.decider import Verdict

REASON = 500  # characters of what the author of a mail is told

_DRESS = "*_'\"`<>()[] \t"
_REJECT = re.compile(r"reject(?:[\s:;,.!–—-]+(?P<reason>\S.*))?", re.IGNORECASE | re.DOTALL)
_WORDS = {
    "accept": Verdict(word="accept"),
    "always": Verdict(word="accept", always=True),
    "accept always": Verdict(word="accept", always=True),
    "always accept": Verdict(word="accept", always=True),
    "discard": Verdict(word="discard"),
}


def verdict(text: str) -> Verdict | None:
    """The verdict that a mail with this first text gives; None where it gives none clearly."""
    lines = written(text)
    line = lines[0].strip(_DRESS) if lines else ""
    word = " ".join(line.rstrip(".!,;").strip(_DRESS).casefold().split())
    if word in _WORDS:
        return _WORDS[word]
    if said := _REJECT.fullmatch(line):
        return Verdict(word="reject", reason=printable(said["reason"] or "", REASON))
    return None


def by_program(subject: str, text: str) -> bool:
    """Whether a program may have written it, which nobody waits to hear from. A verdict that
    stands before a note of absence is a person's; behind such a subject, it is chance."""
    if undelivered(subject) or out_of_office(subject):
        return True
    return verdict(text) is None and says_away(written(text))
