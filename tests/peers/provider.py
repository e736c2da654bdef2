"""A provider's SMTP server in the test's own process: it enforces that provider's rules, delivers,
and sends bounces back.

    async with Provider.start(GMAIL, account="me@gmail.com", password="secret") as provider:
        ...  # a relay on provider.port
        provider.mailboxes["ann@example.org"]  # what arrived, as bytes
        provider.advance(hours=24)             # a new day, at once

Rules are data: `tests.peers.providerrules`; `dataclasses.replace(GMAIL, daily=20)` makes a small
day. Faults are the sink's: `provider.tell(Script(rules=(Rule(at="dot", times=1, close=True),)))`.
The conversation itself is the sink's too, with its checks of the protocol: see `violations()`.
A mail to somebody in `dead` is accepted; then the report goes to the envelope sender the server
saw, which for Gmail is the account whatever the client said.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import itertools
import json
import re
import ssl
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, cast

from tests.peers.certificate import Certificate, self_signed
from tests.peers.process import directory
from tests.peers.providermail import address, replaced, report
from tests.peers.providermail import field as field_of
from tests.peers.providerrules import Rules
from tests.peers.records import Record, Violation
from tests.peers.sinkbook import Book
from tests.peers.sinkscript import Hits, Rule, Script
from tests.peers.sinkserver import HOST, PATH, Conversation, decoded

BEARER = re.compile(r"user=([^\x01]*)\x01auth=Bearer ([^\x01]*)\x01\x01")
DAY, MINUTE = 86_400.0, 60.0

Deliver = Callable[[str, bytes], None]
"""Takes a recipient and the mail as it arrives."""


class _Book(Book):
    """The books of one server, in memory."""

    def __init__(self) -> None:  # the sink's own opens files
        self.connections = itertools.count(1)
        self.lines: list[dict[str, Any]] = []
        self.tell(Script())

    def tell(self, script: Script) -> None:
        """Follow this script from now on."""
        self.script = script
        self.hits = Hits(script)
        self.size = 25 << 20

    def refresh(self) -> None:
        """The script is never stale."""

    def append(self, lines: list[dict[str, object]]) -> None:
        """Keep them."""
        self.lines += lines

    def store(self, data: bytes) -> str:
        """The mails are in the mailboxes."""
        del data
        return ""


@dataclass
class Provider:
    """A running server on 127.0.0.1:`port`.

    `password` None: there is no login by password. `tokens` says whether an access token is one
    of the account (XOAUTH2); None: that is not offered. `identities` are the domains the account
    may send for besides its own address. `deliver` gets every mail besides `mailboxes`, in the
    order of acceptance. `dead` do not exist; that turns out later. `logins` counts successful
    logins, `refused` what was said to the rest of the world's attempts: every 4xx and 5xx, in
    order.
    """

    rules: Rules
    account: str
    password: str | None
    tokens: Callable[[str], bool] | None
    identities: frozenset[str]
    deliver: Deliver | None = None
    port: int = 0
    certificate: Certificate | None = None
    dead: set[str] = field(default_factory=set)
    mailboxes: defaultdict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    refused: list[str] = field(default_factory=list)
    logins: int = 0
    sessions: set[_Session] = field(default_factory=set)  # connections that are open
    book: _Book = field(default_factory=_Book)
    _ahead: float = 0.0  # seconds our clock is ahead
    _messages: deque[float] = field(default_factory=deque)  # when each was begun
    _sent: deque[tuple[float, int]] = field(default_factory=deque)  # when, to how many
    _serial: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        rules: Rules,
        *,
        account: str = "lists@example.org",
        password: str | None = "secret",
        tokens: Callable[[str], bool] | None = None,
        identities: frozenset[str] = frozenset(),
        tls: bool = False,
    ) -> AsyncIterator[Provider]:
        """Serve until the context ends; with `tls` STARTTLS is offered under `certificate`."""
        provider = cls(rules, account, password, tokens, identities)
        with directory("provider") as place:
            context = None
            if tls:
                provider.certificate = self_signed(place)
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(provider.certificate.cert, provider.certificate.key)
            server = await asyncio.get_running_loop().create_server(
                lambda: _Session(provider, context), HOST, 0, backlog=256
            )
            provider.port = server.sockets[0].getsockname()[1]
            try:
                yield provider
            finally:
                server.close()
                provider.hang_up()
                while provider.sessions:  # noqa: ASYNC110  until the loop has told them
                    await asyncio.sleep(0)

    def tell(self, script: Script) -> None:
        """Do these things wrong from now on, besides enforcing the rules."""
        self.book.tell(script)

    def change(self, **limits: Any) -> None:
        """Change rules from now on: `change(daily=20)`."""
        self.rules = dataclasses.replace(self.rules, **limits)

    def hang_up(self) -> None:
        """End every connection, without a word."""
        for session in tuple(self.sessions):
            session.transport.abort()

    def advance(self, *, hours: float = 0.0, minutes: float = 0.0) -> None:
        """Let so much time pass on the server's clock."""
        self._ahead += hours * 3600 + minutes * 60

    def records(self) -> list[Record]:
        """The accepted transactions, as `tests.peers.checker` reads them: with the Message-ID
        and the sender that the client gave, whatever the server made of them."""
        return [
            Record(**{**line, "recipients": tuple(line["recipients"])})
            for line in self.book.lines
            if "violation" not in line
        ]

    def violations(self) -> list[Violation]:
        """The rules of the protocol that the client broke."""
        return [Violation(**line) for line in self.book.lines if "violation" in line]

    @property
    def copies(self) -> int:
        """How many recipients all accepted transactions had together."""
        return sum(len(record.recipients) for record in self.records())

    def now(self) -> float:
        """The server's time."""
        return time.time() + self._ahead

    def serial(self) -> int:
        """A new number."""
        return next(self._serial)

    def is_ours(self, sender: str) -> bool:
        """Whether the account may send as this address."""
        sender = sender.lower()
        return sender == self.account.lower() or sender.rpartition("@")[2] in self.identities

    def too_fast(self) -> bool:
        """Whether one more message now is one too many within a minute; it counts if not."""
        while self._messages and self._messages[0] <= self.now() - MINUTE:
            self._messages.popleft()
        if self.rules.per_minute and len(self._messages) >= self.rules.per_minute:
            return True
        self._messages.append(self.now())
        return False

    def over_quota(self, recipients: int) -> bool:
        """Whether so many more are too many within 24 hours."""
        while self._sent and self._sent[0][0] <= self.now() - DAY:
            self._sent.popleft()
        sent = sum(count for _, count in self._sent)
        return bool(self.rules.daily) and sent + recipients > self.rules.daily

    def accept(self, envelope: str, recipients: list[str], data: bytes) -> None:
        """Take responsibility: rewrite, deliver, and report on who is dead."""
        self._sent.append((self.now(), len(recipients)))
        rules = self.rules
        author = field_of(data, "from")
        if rules.sender == "rewrite" and not self.is_ours(address(author)):
            name = author.rpartition("<")[0].strip()
            data = replaced(data, "X-Google-Original-From", author)
            data = replaced(data, "From", f"{name} <{self.account}>".strip())
        if rules.envelope == "rewrite":
            envelope = self.account
        if rules.own_ids:
            data = replaced(data, "Message-ID", f"<{self.serial():016x}@{rules.own_ids}>")
            data = replaced(data, "Date", formatdate(self.now()))
        received = f"from client by provider.localhost; {formatdate(self.now())}"
        for recipient in recipients:
            if recipient.lower() not in self.dead:
                self._put(recipient, envelope, f"Received: {received}\r\n".encode() + data)
            elif envelope:
                dsn = report(rules.bounce, data, recipient, envelope, self.serial())
                self._put(envelope, "", dsn)

    def _put(self, recipient: str, envelope: str, data: bytes) -> None:
        mail = f"Return-Path: <{envelope}>\r\n".encode() + data
        self.mailboxes[recipient.lower()].append(mail)
        if self.deliver is not None:
            self.deliver(recipient, mail)


class _Session(Conversation):
    """One client of a provider."""

    def __init__(self, provider: Provider, tls: ssl.SSLContext | None) -> None:
        super().__init__(provider.book, tls)
        self.provider = provider
        self.sent_from = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self.provider.sessions.add(self)
        self.judge("connect", "", self.provider.rules.greeting)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """One connection less."""
        del exc
        self.provider.sessions.discard(self)

    def reply(self, text: str, rule: Rule | None = None) -> None:
        """Reply, and remember every refusal."""
        if text[:1] in ("4", "5"):
            text = text.replace("{serial}", f"{self.provider.serial()}x7y-42")
            self.provider.refused.append(text)
            if text.startswith("421"):
                rule = dataclasses.replace(rule or Rule(at=""), close=True)
        super().reply(text, rule)

    def smtp_ehlo(self, name: str) -> None:
        """The sink's offers, and the logins there are."""
        provider = self.provider
        words = ["provider.localhost", *self.book.script.extensions]
        words += ["STARTTLS"] if self.tls else []
        logins = ["LOGIN", "PLAIN"] if provider.password is not None else []
        logins += ["XOAUTH2"] if provider.tokens is not None else []
        if provider.rules.login and logins:
            words.append(" ".join(("AUTH", *logins)))
        if self.judge("ehlo", name, "250 " + "\n".join(words)):
            self.helo = name
            self.forget()

    def smtp_auth(self, argument: str) -> None:
        """XOAUTH2 besides the sink's."""
        mechanism, _, initial = argument.partition(" ")
        if mechanism.upper() != "XOAUTH2" or self.provider.tokens is None:
            super().smtp_auth(argument)
            return
        found = BEARER.fullmatch(decoded(initial.encode()))
        mine = found is not None and found[1].lower() == self.provider.account.lower()
        if found is not None and mine and self.provider.tokens(found[2]):
            self.welcome(found[1])
        else:  # the client must answer the challenge with an empty line, and is then refused
            told = json.dumps({"status": "400", "schemes": "Bearer", "scope": "mail"})
            self.answer = lambda _: self.reply(self.provider.rules.bad_login)
            self.reply("334 " + base64.b64encode(told.encode()).decode())

    def authenticate(self, name: str, password: str) -> None:
        """A login by password."""
        provider = self.provider
        if name.lower() == provider.account.lower() and password == provider.password:
            self.welcome(name)
        else:
            self.judge("auth", name, provider.rules.bad_login)

    def welcome(self, name: str) -> None:
        """Logged in, unless the script says otherwise."""
        if self.judge("auth", name, "235 2.7.0 Accepted"):
            self.user = name
            self.provider.logins += 1

    def smtp_mail(self, argument: str) -> None:
        """Who may send, as whom, and how fast."""
        provider, rules = self.provider, self.provider.rules
        path = PATH.fullmatch(argument)
        if path is None or self.sender is not None:
            super().smtp_mail(argument)
            return
        envelope = path[1]
        if rules.login and not self.user:
            usual = rules.no_login
        elif rules.connections and len(provider.sessions) > rules.connections:
            usual = rules.too_many_connections
        elif not envelope and rules.no_null_sender:
            usual = rules.no_null_sender
        elif envelope and rules.envelope == "refuse" and not provider.is_ours(envelope):
            usual = rules.not_your_envelope.format(address=envelope, account=provider.account)
        elif provider.too_fast():
            usual = rules.too_fast
        else:
            usual = "250 2.1.0 Ok"
        if self.judge("mail", envelope, usual):
            self.sender, self.parameters = envelope, path[2]

    def smtp_rcpt(self, argument: str) -> None:
        """As many as one message may have."""
        most = self.provider.rules.recipients
        if most and len(self.recipients) >= most:
            self.reply(self.provider.rules.too_many)
        else:
            super().smtp_rcpt(argument)

    def verdict(self, data: bytes) -> str:
        """From and quota are looked at when the mail is whole."""
        provider, rules = self.provider, self.provider.rules
        if rules.sender == "refuse":
            for name in ("from", "sender"):
                who = address(field_of(data, name))
                if (who or name == "from") and not provider.is_ours(who):
                    return rules.not_yours.format(address=who, account=provider.account)
        if provider.over_quota(len(self.recipients)):
            return rules.over_quota
        return super().verdict(data)

    def record(self, data: bytes) -> None:
        """Write it down, then deliver it."""
        super().record(data)
        self.provider.accept(self.sender or "", list(self.recipients), data)
