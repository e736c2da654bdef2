"""What a moderator is shown of a mail's text: how it begins, and nothing that acts. Pure."""

from __future__ import annotations

from postroad.mail import approval
from postroad.mail.parts import parts
from postroad.mail.words import printable

LINES = 8
CHARS = 160  # of a line


def extract(data: bytes) -> str:
    """The first lines of the first plain text with anything in it, at most `LINES` of `CHARS`
    characters, without control or direction characters; empty lines are left out, and those that
    give a moderator's password or repeat it. HTML is not shown, nor are attachments: empty where
    there is nothing else."""
    for part in parts(data):
        if part.type == "text/plain" and not part.attached and part.text.strip():
            lines = [printable(line, CHARS) for line in part.text.split("\n")[: 20 * LINES]]
            given = {said for line in lines if (said := approval.in_line(line))}
            found = [line for line in lines if line and not _tells(line, given)]
            more = ["..."] if len(found) > LINES else []
            return "\n".join([*found[:LINES], *more])
    return ""


def _tells(line: str, given: set[str]) -> bool:
    """Whether a line gives a password, or repeats one that is no common word."""
    if approval.in_line(line) is not None:
        return True
    return any(said in line for said in given if len(said) >= approval.SHORTEST)
