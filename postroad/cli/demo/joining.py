"""How somebody joins by mail: what they write, and what their mail program's Reply makes.

Mail is read and written by the standard library here, not by the program under show.
"""

from __future__ import annotations

from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import format_datetime, make_msgid

from postroad.cli.demo.scene import JOIN, MEMBERS, NEWCOMER

_parser = BytesParser(policy=policy.default)


def request(now: datetime) -> bytes:
    """An empty mail to the list's -join address."""
    message = _written(now)
    message["To"] = JOIN
    message["Subject"] = "please"
    message.set_content("")
    return message.as_bytes()


def reply(mail: bytes, now: datetime) -> tuple[str, bytes]:
    """The address that a plain Reply to `mail` goes to, and the reply."""
    asked = _parser.parsebytes(mail)
    answer_to = asked["Reply-To"] or asked["From"]
    message = _written(now)
    message["To"] = str(answer_to)
    message["Subject"] = f"Re: {asked['Subject']}"
    message["In-Reply-To"] = message["References"] = str(asked["Message-ID"]).strip()
    message.set_content("Yes.\n")
    return str(answer_to.addresses[0].addr_spec), message.as_bytes()


def is_notice(mail: bytes) -> bool:
    """Whether a program wrote it of its own accord or in answer (RFC 3834)."""
    return bool(_parser.parsebytes(mail, headersonly=True)["Auto-Submitted"])


def subject(mail: bytes) -> str:
    """Its Subject, decoded."""
    return str(_parser.parsebytes(mail, headersonly=True)["Subject"] or "")


def _written(now: datetime) -> EmailMessage:
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = Address(MEMBERS[NEWCOMER], addr_spec=NEWCOMER)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid("demo", domain=NEWCOMER.partition("@")[2])
    return message
