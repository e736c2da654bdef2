"""What a mail says to a question of ours: yes, no, or nothing because a program wrote it. Pure.

Anything is a yes, also an empty mail: the token says it all. But many programs answer without a
mark, and people who were asked by mistake write what they think of it.
"""

from __future__ import annotations

import re
from itertools import dropwhile, islice
from typing import Literal

from postroad.mail.automatic import out_of_office, says_away, undelivered
from postroad.mail.phrases import finder
from postroad.mail.replytext import written
from postroad.mail.subjectline import bare
from schemas.pending import Action

Answer = Literal["yes", "no", "program"]

_CLAUSE = re.compile(r"(?<=\?)|[.,;:!()…\n]+|\s[-\u2013\u2014]+\s")
_CLAUSES = 6  # that are looked at for the first that is no greeting


def answer(action: Action, subject: str, text: str) -> Answer:
    """What a mail with this subject (decoded) and first text answers to the question whether to
    do `action`.

    "No" is what stands first, less a greeting and questions of theirs. Where the question is
    whether to leave, "remove me" is a yes.
    """
    lines = written(text)
    if _says_no(action, bare(subject)) or _says_no(action, "\n".join(lines)):
        return "no"
    receipt = finder("receipt").find(bare(subject))
    if receipt or undelivered(subject) or out_of_office(subject) or says_away(lines):
        return "program"
    return "yes"


def _says_no(action: Action, text: str) -> bool:
    clauses = (part for part in _CLAUSE.split(text) if part.strip())
    said = list(dropwhile(finder("greeting").find, islice(clauses, _CLAUSES)))
    behind = islice(dropwhile(_asks, said), 1)
    return any(_is_no(action, part) for part in (*said[:1], *behind))


def _is_no(action: Action, part: str) -> bool:
    if finder("no").find(part):
        return True
    return action in ("join", "mail_on") and finder("off").find(part)


def _asks(part: str) -> bool:
    return part.rstrip().endswith("?")
