"""A provider's mailbox: what that provider writes above a mail that comes in, and which it keeps.

    inbox = Inbox(dovecot, "me@gmail.com", GMAIL)
    inbox.take("me+team@gmail.com", data, sender="ann@alpha.example", signed="alpha.example")

Headers have the form that documentation and published samples give them; no mailbox of these
providers was asked. Gmail writes Delivered-To on top and its findings below; whether Delivered-To
keeps what follows a plus is not documented, so both are played. Exchange names neither the
recipient nor itself, and writes Return-Path without brackets. A server of one's own is Postfix with
a milter that checks signatures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate

from tests.peers.dovecot import Dovecot
from tests.peers.providermail import field as field_of


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """One mail at the door. `signed` is the domain whose signature was good, "" for none;
    `author` the domain of From."""

    account: str
    recipient: str
    sender: str
    signed: str
    author: str

    @property
    def proved(self) -> bool:
        """Whether the signature is the author's."""
        return bool(self.signed) and self.signed == self.author


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What a provider does. `head` makes the fields above the mail; `one_copy`: of mails with
    one Message-ID it keeps the first; `takes` says whether an address is of the account."""

    head: Callable[[Arrival], str]
    one_copy: bool
    takes: Callable[[str, str], bool]


def tagged(account: str, recipient: str) -> bool:
    """The account itself, and whatever follows a plus."""
    local, _, domain = recipient.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}" == account


def domain_of_lists(account: str, recipient: str) -> bool:
    """The account, and all of the domain `lists.` under its own: a catch-all."""
    domain = account.rpartition("@")[2]
    return recipient.lower() == account or recipient.lower().endswith(f"@lists.{domain}")


def _gmail(mail: Arrival, delivered_to: str) -> str:
    dkim = (
        f"dkim=pass header.i=@{mail.signed} header.s=s1 header.b=Ab3+/x=Q;" if mail.signed else ""
    )
    dmarc = f"dmarc={'pass' if mail.proved else 'fail'} (p=NONE sp=NONE dis=NONE)"
    results = (
        f"mx.google.com;\r\n       {dkim}\r\n       spf=pass (google.com: domain of "
        f"{mail.sender or 'postmaster'} designates 203.0.113.7 as permitted sender) "
        f"smtp.mailfrom={mail.sender};\r\n       {dmarc} header.from={mail.author}\r\n"
    ).replace("\r\n       \r\n", "\r\n")
    now = formatdate()
    return (
        f"Delivered-To: {delivered_to}\r\n"
        f"Received: by 2002:a05:7300:a48f:b0:1 with SMTP id u15csp1;\r\n        {now}\r\n"
        f"X-Received: by 2002:a17:906:f6c9:b0:2 with SMTP id jo9mr2.7;\r\n        {now}\r\n"
        "ARC-Seal: i=1; a=rsa-sha256; t=1; cv=none;\r\n        d=google.com; s=arc-2024; b=x=\r\n"
        "ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=google.com;\r\n"
        "        s=arc-2024; h=from:to; bh=x=; b=x=; dara=google.com\r\n"
        f"ARC-Authentication-Results: i=1; {results}"
        f"Return-Path: <{mail.sender}>\r\n"
        "Received: from mail.sender.example (mail.sender.example. [203.0.113.7])\r\n"
        f"        by mx.google.com with ESMTPS id a-1.2026\r\n        for <{mail.recipient}>\r\n"
        f"        (version=TLS1_3 cipher=TLS_AES_256_GCM_SHA384 bits=256/256);\r\n        {now}\r\n"
        f"Authentication-Results: {results}"
    )


def _exchange(mail: Arrival) -> str:
    verdict = "pass" if mail.proved else "fail"
    dkim = (
        f"dkim=pass (signature was verified)\r\n header.d={mail.signed}"
        if mail.signed
        else "dkim=none (message not\r\n signed) header.d=none"
    )
    now = formatdate()
    path = mail.sender or "<>"
    server = mail.sender.rpartition("@")[2] or "localhost"
    return (
        "Received: from AS8PR01MB1.eurprd01.prod.exchangelabs.com (2603:10a6::1)\r\n"
        f" by DB9PR01MB2.eurprd01.prod.exchangelabs.com with HTTPS; {now}\r\n"
        "Authentication-Results: spf=pass (sender IP is 203.0.113.7)\r\n"
        f" smtp.mailfrom={server}; {dkim};dmarc={verdict}\r\n"
        f" action=none header.from={mail.author};compauth={verdict} reason=100\r\n"
        "Received-SPF: Pass (protection.outlook.com: domain of sender designates\r\n"
        " 203.0.113.7 as permitted sender) receiver=protection.outlook.com;\r\n"
        "Received: from mail.sender.example (203.0.113.7) by\r\n"
        f" AM7EUR01FT1.mail.protection.outlook.com (10.152.1.1) with Microsoft SMTP; {now}\r\n"
        f"Return-Path: {path}\r\n"
        "X-MS-Exchange-Organization-SCL: 1\r\nX-MS-Exchange-Organization-AuthAs: Anonymous\r\n"
        "X-MS-Has-Attach:\r\nX-MS-TNEF-Correlator:\r\n"
    )


def _own(mail: Arrival) -> str:
    host = f"mail.{mail.account.rpartition('@')[2]}"
    dkim = f"dkim=pass header.d={mail.signed}" if mail.signed else "dkim=none"
    return (
        f"Return-Path: <{mail.sender}>\r\nDelivered-To: {mail.recipient}\r\n"
        f"Received: from mail.sender.example (mail.sender.example [203.0.113.7])\r\n"
        f"\tby {host} (Postfix) with ESMTPS id 4X\r\n\tfor <{mail.recipient}>; {formatdate()}\r\n"
        f"Authentication-Results: {host}; {dkim}; spf=pass smtp.mailfrom={mail.sender}\r\n"
    )


GMAIL = Habits(head=lambda mail: _gmail(mail, mail.account), one_copy=True, takes=tagged)
GMAIL_TAGS = Habits(head=lambda mail: _gmail(mail, mail.recipient), one_copy=True, takes=tagged)
EXCHANGE = Habits(head=_exchange, one_copy=True, takes=tagged)
OWN = Habits(head=_own, one_copy=False, takes=domain_of_lists)


@dataclass
class Inbox:
    """The account's mailbox in a Dovecot. `came` counts what was put into it."""

    dovecot: Dovecot
    account: str
    habits: Habits
    came: int = 0
    _ids: set[str] = field(default_factory=set)

    def takes(self, recipient: str) -> bool:
        """Whether mail to this address comes here."""
        return self.habits.takes(self.account, recipient)

    def take(self, recipient: str, data: bytes, *, sender: str, signed: str = "") -> None:
        """A mail comes in, from the envelope sender `sender`."""
        message_id = field_of(data, "message-id")
        if self.habits.one_copy and message_id in self._ids:
            return
        self._ids.add(message_id)
        author = field_of(data, "from").rpartition("@")[2].strip("> ").lower()
        arrival = Arrival(
            account=self.account,
            recipient=recipient,
            sender=sender,
            signed=signed,
            author=author,
        )
        own = sender == self.account  # it never left the provider, who adds next to nothing
        head = f"Received: by localhost; {formatdate()}\r\n" if own else self.habits.head(arrival)
        self.dovecot.deliver(self.account, head.encode() + data)
        self.came += 1

    def bring(self, recipient: str, mail: bytes) -> None:
        """Take what the provider itself delivers, if it is for the account: see `Provider`."""
        if self.takes(recipient):
            path, _, data = mail.partition(b"\r\n")
            sender = path.decode().partition("<")[2].rstrip(">")
            domain = field_of(data, "from").rpartition("@")[2].strip("> ").lower()
            self.take(recipient, data, sender=sender, signed=domain)
