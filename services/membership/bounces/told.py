"""Evidence of a bounce in lines that people read. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from postroad.mail.bounce.codes import Code, judged
from postroad.mail.refusals import why
from schemas.membership import BounceKind, MemberBounced

_ID = 16  # digits of a mail id: enough for every command
_SUBJECT = 60

WORDS: dict[BounceKind, str] = {
    "hard": "it failed for good",
    "full": "the mailbox is full",
    "policy": "the mail was refused, not the recipient",
    "soft": "it was not taken for now",
    "autoreply": "a program answered",
    "challenge": "a program asked for proof",
    "complaint": "it was called spam",
    "unknown": "it was not delivered, and nobody says why",
}


def meaning(told: MemberBounced) -> str:
    """What happened, in plain words: what the code says where it fits the class, else the class."""
    same = told.status.startswith("4") or judged(Code(told.status)) in ("", told.kind)
    if told.status and same and told.kind not in ("policy", "complaint"):
        code = 500 if told.status.startswith("5") else 400
        return why(code, told.status)
    return WORDS[told.kind]


def evidence_lines(address: str, told: MemberBounced, subject: str) -> Iterator[str]:
    """Who, why, what the server said, and which mail did not arrive."""
    if address:
        yield address
    said = f' ("{told.said}")' if told.said else ""
    yield f"{meaning(told)}{said}"
    about = f": {subject[:_SUBJECT]}" if subject else ""
    yield f"mail {told.post[:_ID]}{about}"
