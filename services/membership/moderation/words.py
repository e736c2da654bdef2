"""The verdict in a moderator's reply: one word, in the first line that they wrote. Pure.

Only a clear word counts. What is quoted is not looked at, nor any later line, unless a mail program
has broken a long reason there: a vacation notice, or a signature, decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from postroad.mail.automatic import out_of_office, says_away, undelivered
from postroad.mail.replytext import written
from postroad.mail.words import printable
from services.membership.moderation.decider import Verdict

BROKEN = 60  # characters: a line that the next word would make longer was broken by a program
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
    line = _first(text, lines).strip(_DRESS)
    word = " ".join(line.rstrip(".!,;").strip(_DRESS).casefold().split())
    if word in _WORDS:
        return _WORDS[word]
    if said := _REJECT.fullmatch(line):
        return Verdict(word="reject", reason=printable(said["reason"] or "", REASON))
    return None


def _first(text: str, lines: Sequence[str]) -> str:
    """The first line as it was before it was broken: a blank line ends it, too."""
    paragraph = list(takewhile(str.strip, text.strip().split("\n")))
    line, *broken = lines[: len(paragraph)] or ("",)
    last = line
    for more in broken:
        if len(last) + 1 + len(more.split()[0]) <= BROKEN:
            break
        line, last = f"{line} {more}", more
    return line


def by_program(subject: str, text: str) -> bool:
    """Whether a program may have written it, which nobody waits to hear from. A verdict that
    stands before a note of absence is a person's; behind such a subject, it is chance."""
    if undelivered(subject) or out_of_office(subject):
        return True
    return verdict(text) is None and says_away(written(text))
