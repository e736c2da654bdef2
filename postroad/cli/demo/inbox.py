"""What lies in a mailbox, read by the standard library's IMAP client: not the product's own."""

from __future__ import annotations

import imaplib

ANSWER_SECONDS = 10.0


def mails(host: str, port: int, user: str, password: str) -> list[bytes]:
    """Every mail of an INBOX, the oldest first, octet for octet; nothing is flagged.

    Raises imaplib.IMAP4.error where the server refuses, OSError where it is away.
    """
    with imaplib.IMAP4(host, port, timeout=ANSWER_SECONDS) as imap:
        imap.login(user, password)
        imap.select(readonly=True)
        answer = imap.fetch("1:*", "(BODY.PEEK[])")[1]
    return [item[1] for item in answer if isinstance(item, tuple)]
