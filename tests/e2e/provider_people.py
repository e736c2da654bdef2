"""The people of a day at a provider: what they get, and what their mail programs make of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from urllib.parse import parse_qs, unquote, urlsplit

from tests.e2e.system import until

MARK = re.compile(r"^mark-\d+$", re.MULTILINE)  # a body's own; those it quotes are indented


def read(data: bytes) -> EmailMessage:
    """A mail as a mail program reads it."""
    found = message_from_bytes(data, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def text_of(mail: EmailMessage) -> str:
    """What it says."""
    part = mail.get_body(("plain",))
    return str(part.get_content()).replace("\r\n", "\n") if part else ""


def marks(mail: EmailMessage) -> list[str]:
    """By which a post is known, whatever its Message-ID has become."""
    return MARK.findall(text_of(mail))


def addresses(mail: EmailMessage, *names: str) -> list[str]:
    """Those in these fields, in order."""
    fields = [mail[name] for name in names if mail[name] is not None]
    return [address.addr_spec for each in fields for address in each.addresses]


@dataclass(frozen=True)
class List:
    """A list, and the form of its addresses."""

    address: str
    joint: str = "-"

    def at(self, sub: str) -> str:
        """Its address for this."""
        local, _, domain = self.address.partition("@")
        return f"{local}{self.joint}{sub}@{domain}"

    @property
    def id(self) -> str:
        """Its List-Id."""
        return self.address.replace("@", ".")


@dataclass(eq=False)
class Person:
    """Somebody with a mailbox elsewhere; their server signs what they send, if `signs`."""

    address: str
    name: str = ""
    signs: bool = True
    box: list[bytes] = field(default_factory=list)
    _mails: list[EmailMessage] = field(default_factory=list)

    @property
    def mails(self) -> list[EmailMessage]:
        """What they got, in order; each is read once, however often it is looked at."""
        self._mails += map(read, self.box[len(self._mails) :])
        return self._mails.copy()

    @property
    def letters(self) -> list[EmailMessage]:
        """What Postroad itself wrote to them."""
        return [mail for mail in self.mails if mail["Auto-Submitted"] is not None]

    def copy(self, mark: str) -> EmailMessage:
        """Their copy of a post."""
        found = [mail for mail in self.mails if mark in marks(mail)]
        assert found, f"{self.address} has no copy of {mark}"
        return found[0]

    async def hears(self, subject: str) -> EmailMessage:
        """Wait for the letter whose Subject begins so."""

        def heard() -> list[EmailMessage]:
            return [each for each in self.letters if each["Subject"].startswith(subject)]

        async def is_heard() -> bool:
            return bool(heard())

        await until(is_heard, f"{self.address} gets a letter {subject!r}")
        return heard()[-1]

    def answer(self, mail: EmailMessage, *, everybody: bool = False) -> EmailMessage:
        """What Reply, or Reply-All, makes of a mail they got."""
        reply = EmailMessage()
        to = addresses(mail, "Reply-To") or addresses(mail, "From")
        reply["To"] = ", ".join(to)
        if everybody:
            others = dict.fromkeys(addresses(mail, "To", "Cc"))
            reply["Cc"] = ", ".join(a for a in others if a not in (self.address, *to))
        subject = str(mail["Subject"])
        reply["Subject"] = subject if subject.startswith("Re:") else f"Re: {subject}"
        reply["In-Reply-To"] = mail["Message-ID"]
        reply["References"] = f"{mail['References'] or ''} {mail['Message-ID']}".strip()
        quoted = "".join(f"> {line}\n" for line in text_of(mail).splitlines())
        reply.set_content(f"Yes.\n\nSomebody wrote:\n{quoted}")
        return reply

    def vacation(self, mail: EmailMessage, *, marked: bool) -> EmailMessage:
        """What a vacation program answers: to the return path and with its marks, or as bad ones
        do, to Reply-To and with none."""
        notice = EmailMessage()
        to = str(mail["Return-Path"]).strip("<>")
        if not marked:
            to = (addresses(mail, "Reply-To") or addresses(mail, "From"))[0]
        notice["To"] = to
        notice["Subject"] = f"Automatic reply: {mail['Subject']}"
        notice["In-Reply-To"] = mail["Message-ID"]
        if marked:
            notice["Auto-Submitted"] = "auto-replied"
        notice.set_content("I am away until Monday.\n")
        return notice

    def unsubscribe(self, mark: str) -> EmailMessage:
        """What a mail program sends for the List-Unsubscribe of a copy."""
        link = str(self.copy(mark)["List-Unsubscribe"]).partition("<")[2].partition(">")[0]
        url = urlsplit(link)
        assert url.scheme == "mailto", link
        return ask(unquote(url.path), parse_qs(url.query).get("subject", ["unsubscribe"])[0])


def ask(address: str, subject: str = "") -> EmailMessage:
    """An empty mail to a command address."""
    mail = EmailMessage()
    mail["To"], mail["Subject"] = address, subject
    return mail
