"""What a post begins with that is not for its readers: a password, or a command. Pure.

Commands to a posting address are Mailman's administrivia. A word such as `help` or `leave` may be
all that a person writes to a list, so nothing is guessed from a long text: it is a command if a
short text has `unsubscribe` or the like in a line of its own, or if it is nothing but commands.
"""

from __future__ import annotations

from itertools import islice

from postroad.mail import approval
from postroad.mail.commandwords import said, spoken
from postroad.mail.parts import first_text
from postroad.mail.replytext import written
from postroad.mail.subjectline import bare, is_reply
from schemas.road import Opening

SHORT = 5  # lines of a text, without quotations and signature

# Commands that are also what people say. The rest of Mailman's list takes words that nobody but
# Mailman understands (`set`, `password`).
_WORDS = frozenset(
    ("help", "info", "lists", "options", "who", "which", "remove", "join", "leave", "signoff")
)
_PLAIN = ("subscribe", "unsubscribe", "unsub", "signoff")


def opening(data: bytes, subject: str) -> Opening:
    """What a whole mail, header block first, begins with; `subject` is its decoded Subject. Any
    bytes will do; 64 KiB of text are looked at."""
    text = first_text(data)
    lines = text.splitlines()
    first = next((line for line in islice(lines, 100) if line.strip()), "")
    if approval.in_line(first[: 2 * approval.LONGEST]) is not None:
        return "approval"
    return "command" if _is_command(subject, written(text)) else ""


def _is_command(subject: str, lines: tuple[str, ...]) -> bool:
    title = said(bare(subject))
    if _certain(title) and not is_reply(subject):
        return True
    if len(lines) > SHORT:
        return False
    spelled = [said(line) for line in lines]
    if any(map(_certain, spelled)):
        return True
    told = (title in _WORDS and not is_reply(subject)) or bool(spelled)
    return told and all(line in _WORDS for line in spelled)


def _certain(line: str) -> bool:
    """Whether people say this to a program only. `line` is as `said` gives it."""
    words = line.split()
    if words and words[0] in _PLAIN and len(words) <= 2:
        return True
    word = spoken(line)
    match word.name if word else "":
        case "leave":
            return len(words) > 1
        case "join":
            return any(each.startswith("subscribe") for each in words)
        case "mail_on" | "mail_off" | "own_on" | "own_off" | "copies_on" | "copies_off":
            return words[0] == "set"
        case "language":
            return True
        case "confirm":
            return len(words) == 2 and len(words[1]) == 26
        case _:
            return False
