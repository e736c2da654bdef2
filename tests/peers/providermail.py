"""What a provider makes of a mail: fields written anew, and delivery reports (RFC 3464)."""

from __future__ import annotations

from email.utils import formatdate

from tests.peers.providerrules import Bounce
from tests.peers.sinkbook import FOLD, text_of


def field(data: bytes, name: str) -> str:
    """The first field of this name, unfolded, or "" where there is none."""
    head = data.partition(b"\r\n\r\n")[0]
    for line in FOLD.sub(b"", head).split(b"\r\n"):
        found, _, value = line.partition(b":")
        if found.strip().lower() == name.lower().encode():
            return text_of(value.strip())
    return ""


def replaced(data: bytes, name: str, value: str) -> bytes:
    """The mail with exactly one field of this name, on top; none where the value is empty."""
    head, empty, body = (b"\r\n" + data).partition(b"\r\n\r\n")
    kept = []
    dropping = False
    for line in head[2:].split(b"\r\n"):
        if not line.startswith((b" ", b"\t")):
            dropping = line.partition(b":")[0].strip().lower() == name.lower().encode()
        if not dropping:
            kept.append(line)
    new = [f"{name}: {value}".encode("utf-8", "surrogateescape")] if value else []
    return b"\r\n".join((*new, *kept)) + empty + body


def address(mailbox: str) -> str:
    """The address of one mailbox as it stands in a header, in lower case."""
    _, bracket, inner = mailbox.rpartition("<")
    return (inner.partition(">")[0] if bracket else mailbox).strip().lower()


def report(bounce: Bounce, mail: bytes, recipient: str, to: str, serial: int) -> bytes:
    """The report to `to` that this recipient of `mail` (as it went out) does not exist."""
    boundary = f"report-{serial}"
    message_id = field(mail, "message-id")
    returned = mail
    if bounce.returned == "text/rfc822-headers":
        returned = mail.partition(b"\r\n\r\n")[0] + b"\r\n"
    head = (
        f"From: {bounce.sender}\r\nTo: {to}\r\n"
        f"Subject: {bounce.subject.format(subject=field(mail, 'subject'))}\r\n"
        f"Date: {formatdate()}\r\nMessage-ID: <report.{serial}@provider.localhost>\r\n"
        f"{bounce.extra.format(recipient=recipient, message_id=message_id)}"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"\r\n'
        f"\r\n--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        f"Your message was not delivered to {recipient}: the address was not found.\r\n"
        f"\r\n--{boundary}\r\nContent-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; provider.localhost\r\nArrival-Date: {formatdate()}\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 The email account that you tried to reach does not "
        f"exist.\r\n\r\n--{boundary}\r\nContent-Type: {bounce.returned}\r\n\r\n"
    )
    return head.encode("utf-8", "surrogateescape") + returned + f"\r\n--{boundary}--\r\n".encode()
