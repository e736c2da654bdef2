"""What a POP3 server may say no to, in words. Its own text may repeat the user: none is told."""

from __future__ import annotations

import re

from postroad.runtime.config import Source
from services.ingest.pop3.syntax import Status
from services.ingest.trouble import MailboxError, Refused

_IN_USE = re.compile(rb"lock|in use|busy|already|another session", re.IGNORECASE)
_LATER = re.compile(
    rb"too many|too often|too frequent|try again|later|temporar|exceeded|delay|wait", re.IGNORECASE
)
_PASSING = ("IN-USE", "LOGIN-DELAY", "SYS/TEMP")  # RFC 2449 section 8.1, RFC 3206


def login_refused(source: Source, answer: Status, *, token: bool = False) -> MailboxError:
    """Why a login failed; whatever is not said to be the login's fault may pass."""
    if passing := _passing(source, answer, "the server takes no login at present"):
        return passing
    what, remedy = "the server refused the login", "check user and password_file"
    if token:
        what = "the server refused the token"
        remedy = "check user, and that the account may use POP3"
    return MailboxError(source, what, remedy, lasting=True)


def closed(source: Source, greeting: Status) -> MailboxError:
    """The server sent us away before a login."""
    passing = _passing(source, greeting, "the server takes nobody at present")
    return passing or MailboxError(source, "the server sent us away with its greeting")


def refused(source: Source, command: str, answer: Status) -> Refused:
    """The server said no to one command."""
    what = f"the server refused {command}" + (f" [{answer.code}]" if answer.code else "")
    error = Refused(source, what)
    error.passing = _passing(source, answer, what) is not None
    return error


def _passing(source: Source, answer: Status, what: str) -> MailboxError | None:
    """What goes by itself: one session at a time may have the mailbox (RFC 1939 section 8)."""
    in_use = answer.code == "IN-USE" or (not answer.code and _IN_USE.search(answer.text))
    if in_use:
        what = "the mailbox is in use by another session"
    elif answer.code not in _PASSING and (answer.code or not _LATER.search(answer.text)):
        return None
    error = MailboxError(source, what)
    error.passing = True
    return error
