"""Programs that answer every mail that their owner gets, as they are met in the field.

    for answer in answers(ROBOTS[0], "robot@example.net", 1, copy, "team-bounces@example.org"):
        ...  # deliver answer.data from answer.sender to answer.to

Some follow RFC 3834, some have marks of their vendor's, some have none but their Subject. Whom they
answer differs as much: the envelope sender, From, Reply-To, or all that they find.
"""

from __future__ import annotations

import email
import email.policy
import email.utils
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import NamedTuple

AWAY = "I am away until Monday, and will read your mail then.\r\n"
RECEIPT = "Content-Type: multipart/report; report-type=disposition-notification; boundary=r"


@dataclass(frozen=True)
class Robot:
    """How a program answers. `to` are the fields whose addresses it writes to, besides `envelope`
    for the envelope sender; `null` that its own envelope sender is empty; `quotes` that the mail
    follows, as it was with all of its header."""

    name: str
    subject: str = "Re: {}"
    headers: tuple[str, ...] = ()
    to: tuple[str, ...] = ("envelope",)
    null: bool = True
    quotes: bool = False


class Answer(NamedTuple):
    """A mail of a robot, and its envelope."""

    sender: str
    to: str
    data: bytes


ROBOTS = (
    Robot("rfc3834", "Auto: {}", ("Auto-Submitted: auto-replied",)),
    Robot("vacation(1)", "away from my mail", ("Precedence: bulk",), null=False),
    Robot("junk", headers=("Precedence: junk",), to=("reply-to", "from"), null=False),
    Robot("autoreply", headers=("X-Autoreply: yes",), to=("reply-to",), null=False, quotes=True),
    Robot("autorespond", headers=("X-Autorespond: {}",), to=("from",), null=False),
    Robot("exchange", "Automatic reply: {}", ("X-Auto-Response-Suppress: All",), ("from",)),
    Robot("null-sender", to=("reply-to", "from", "to"), quotes=True),
    Robot("outlook", "Out of Office: {}", to=("reply-to",), null=False),
    Robot("german", "Abwesenheitsnotiz: {}", to=("from", "to"), null=False, quotes=True),
    Robot("french", "Réponse automatique : {}", to=("from", "reply-to"), null=False),
    Robot("spanish", "Respuesta automática: {}", to=("to", "envelope"), null=False),
    Robot(
        "to-all", "Out of office Re: {}", (), ("from", "reply-to", "to", "list-post"), False, True
    ),
    Robot("to-commands", "I am out of the office", to=("list-help",), null=False),
    Robot("receipts", "Read: {}", (RECEIPT,), ("from", "reply-to")),
)


def answers(robot: Robot, me: str, number: int, copy: bytes, sender: str) -> Iterator[Answer]:
    """What the robot of `me` answers to the mail `copy` from the envelope sender `sender`, one mail
    for each whom it writes to. `number` tells its Message-IDs apart."""
    parsed = email.message_from_bytes(copy, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    for to in dict.fromkeys(_addresses(robot.to, parsed, sender)):
        if to not in ("", me):
            yield Answer("" if robot.null else me, to, _write(robot, me, number, to, parsed, copy))


def _addresses(fields: Sequence[str], copy: EmailMessage, sender: str) -> Iterator[str]:
    for field in fields:
        texts = [sender] if field == "envelope" else [str(each) for each in copy.get_all(field, [])]
        for text in texts:
            clear = text.replace("<mailto:", "<").replace("?", ">?")
            yield from (box[1] for box in email.utils.getaddresses([clear]) if "@" in box[1])


def _write(robot: Robot, me: str, number: int, to: str, copy: EmailMessage, data: bytes) -> bytes:
    subject = " ".join(str(copy["Subject"]).split())
    name = abs(hash((robot.name, me, number, to)))
    head = [
        f"Return-Path: <{'' if robot.null else me}>",
        f"From: {me}",
        f"To: {to}",
        f"Subject: {robot.subject.format(subject)}",
        f"Message-ID: <{name}@robot>",
        f"In-Reply-To: {copy['Message-ID']}",
        *(each.format(subject) for each in robot.headers),
    ]
    below = b"> " + data.replace(b"\n", b"\n> ") if robot.quotes else b""
    return "\r\n".join(head).encode() + b"\r\n\r\n" + AWAY.encode() + below + b"\r\n"
