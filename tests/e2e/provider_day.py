"""Lists that live in a provider's mailbox for a day, and the people on them.

    async with living(tmp_path, monkeypatch, GMAIL, mailbox.GMAIL, "me@gmail.com", ...) as day:
        await day.make_list(team, day.ben)
        await day.join(day.ann, team)
        day.post(day.ann, team)
        await day.quiet()

Mail comes in through a Dovecot, with the provider's headers put above it, and goes out through the
provider's scripted SMTP server; certificates, tokens and passwords are checked on both.
What happens at every provider is in `provider_events.py`, the reckoning in `provider_audit.py`.
"""

from __future__ import annotations

import asyncio
import hashlib
import shlex
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from pathlib import Path
from typing import Any

import httpx
import pytest

from postroad.runtime.config import Config
from schemas.envelope import Event
from tests.e2e.oauth import Account
from tests.e2e.provider_people import List, Person, addresses, ask
from tests.e2e.system import Result, System, until
from tests.peers.checker import Post
from tests.peers.dovecot import Dovecot
from tests.peers.provider import Provider
from tests.peers.providerinbox import Habits, Inbox
from tests.peers.providerrules import Rules
from tests.peers.tokens import TokenServer

PASSWORD = "correct horse"
ALARM_SECONDS = 60.0  # within which a person must have been told


@dataclass
class Day:
    """The lists' machine, their provider, and the world. `posts` is what people are owed, `told`
    the alarm's lines so far, `sent` how many mails people have written, `bounced` how many
    copies came back."""

    road: System
    provider: Provider
    inbox: Inbox
    tokens: TokenServer
    alarm: Path
    members: dict[List, set[str]] = field(default_factory=dict)
    posts: list[Post] = field(default_factory=list)
    sent: int = 0
    bounced: int = 0

    def __post_init__(self) -> None:
        self.people = {
            name: Person(f"{name}@{domain}.example", shown, signs, box=[])
            for name, domain, shown, signs in (
                ("ann", "alpha", "Ann", True),
                ("ben", "beta", "Ben", True),
                ("eva", "beta", "Éva, at work", True),
                ("zoe", "alpha", "", True),
                ("dan", "gone", "Dan", True),  # his mailbox is dead
                ("sam", "far", "Sam", True),  # a stranger
                ("tom", "far", "Tom", False),  # somebody who signs nothing, and forges proof
                ("gus", "gone", "", True),  # nobody: somebody made his address up
            )
        }
        self.ann, self.ben, self.eva, self.zoe = list(self.people.values())[:4]
        self.dan, self.sam, self.tom, self.gus = list(self.people.values())[4:]
        for who in self.people.values():
            self.provider.mailboxes[who.address] = who.box
        self.provider.dead = {self.dan.address, self.gus.address}
        self.me = Person(self.inbox.account, "Me")  # whoever looks after the account

    # --- people ---------------------------------------------------------------------------------

    def send(self, who: Person, mail: EmailMessage, hidden: Iterable[str] = ()) -> bytes:
        """Have somebody mail to all in To and Cc and to `hidden`; what is for the lists arrives.
        Automatic answers have the null sender."""
        self.sent += 1
        domain = who.address.partition("@")[2]
        mail["From"] = Address(who.name, addr_spec=who.address)
        mail["Date"] = format_datetime(localtime())
        mail["Message-ID"] = f"<{self.sent}@{domain}>"
        if not who.signs:
            for server in ("mx.google.com; ", "mail.example.org; ", ""):
                proof = f"dkim=pass header.d={domain}; compauth=pass reason=100"
                mail["Authentication-Results"] = server + proof
        data = mail.as_bytes(policy=policy.SMTP)
        sender = "" if mail["Auto-Submitted"] else who.address
        for address in dict.fromkeys((*addresses(mail, "To", "Cc"), *hidden)):
            if self.inbox.takes(address):
                self.inbox.take(address, data, sender=sender, signed=domain if who.signs else "")
        return data

    def post(
        self,
        who: Person,
        *lists: List,
        hidden: bool = False,
        answer: EmailMessage | None = None,
        also: Sequence[str] = (),
        stopped: bool = False,
    ) -> str:
        """Have somebody post, an `answer` perhaps; the mark that its body has. From now on every
        member of these lists is owed a copy, unless it is to be `stopped`. `hidden`: the lists
        stand in Bcc; `also`: further recipients."""
        mark = f"mark-{self.sent}"
        where = [each.address for each in lists]
        mail = answer or ask(", ".join((*(where if not hidden else ()), *also)), f"Größe {mark}")
        quoted = mail.get_content() if answer else "Dear all,\n.this line begins with a dot\n"
        mail.set_content(f"{mark}\n\n{quoted}")
        body = self.send(who, mail, where if hidden else ()).partition(b"\r\n\r\n")[2]
        if not stopped:
            nobody = self.provider.dead | {self.inbox.account}
            digest = hashlib.sha256(body).hexdigest()
            for each in lists:
                people = frozenset(self.members[each] - nobody)
                self.posts.append(Post(mark, people, each.id, digest))
                self.bounced += self.dan.address in self.members[each]
        return mark

    async def join(self, who: Person, where: List, *, away: bool | None = None) -> None:
        """Somebody joins by mail, and answers the question by Reply. Where `away` is given their
        vacation program answers it first, with its marks (True) or without."""
        self.send(who, ask(where.at("join")))
        question = await who.hears("Please confirm: join")
        if away is not None:
            self.send(who, who.vacation(question, marked=away))
            await self.quiet()
            assert not [each for each in who.letters if "Welcome" in each["Subject"]]
        self.send(who, who.answer(question))
        await who.hears("Welcome to")
        self.members[where].add(who.address)

    def write_to_owners(self, who: Person, where: List, *owners: Person) -> None:
        """Somebody writes to the owners of a list, who are owed it."""
        mark = f"mark-{self.sent}"
        mail = ask(where.at("owner"), "A question")
        mail.set_content(f"{mark}\n")
        self.send(who, mail)
        self.posts.append(Post(mark, frozenset(owner.address for owner in owners)))

    async def leave(self, who: Person, where: List, mark: str = "") -> None:
        """Somebody leaves: by the List-Unsubscribe of a copy, or by a mail to -leave."""
        self.send(who, who.unsubscribe(mark) if mark else ask(where.at("leave"), "bye"))
        await who.hears("You have left")
        self.members[where].discard(who.address)

    # --- the machine ----------------------------------------------------------------------------

    async def make_list(self, where: List, *members: str, **settings: str) -> None:
        """Create a list with these members, by the command line; it takes mail in Bcc."""
        settings = {"require_explicit_destination": "false", **settings}
        words = (f"{key}={value}" for key, value in settings.items())
        await self.command("list", "create", where.address, *words)
        await self.command("member", "add", where.address, *members, "--confirmed")
        self.members[where] = set(members)

    async def command(self, *words: str) -> Result:
        """A `postroad` command, which must succeed."""
        done = await self.road.cli(*words)
        assert done.code == 0, done.err + done.out
        return done

    async def log_in(self, name: str) -> None:
        """A person logs in at the provider: in a browser, or by a code that is typed in."""
        config = Config.load(self.road.config, {})
        account = Account(self.road.home, self.road.config, config, self.tokens)
        async with account.login(name) as command:
            page = await command.says(r"(http://127.0.0.1:\d+/(?:authorize\?\S+|activate))")
            async with httpx.AsyncClient(trust_env=False) as browser:
                await browser.get(page, follow_redirects=True)
            done = await command.ends()
        assert done.code == 0, done.err

    @property
    def told(self) -> list[str]:
        """What the alarm has told so far."""
        return self.alarm.read_text().splitlines() if self.alarm.exists() else []

    async def alarmed(self, *words: str, after: int = 0) -> str:
        """Wait until the alarm, past so many lines, tells something with all these words."""

        def found() -> str:
            lines = (line for line in self.told[after:] if all(word in line for word in words))
            return next(lines, "")

        async def is_found() -> bool:
            return bool(found())

        await until(is_found, f"the alarm tells {words}", ALARM_SECONDS)
        return found()

    async def well(self) -> None:
        """Wait until no service has anything to complain of."""

        async def all_well() -> bool:
            reports = (await self.road.reports()).values()
            return all(fact.ok for report in reports for fact in report.facts)

        await until(all_well, "all is well")

    async def quiet(self) -> None:
        """Wait until all that came in went down the road, and what that led to."""

        async def nothing_waits() -> bool:
            came = self.inbox.came
            info = await self.road.broker.api("STREAM.INFO.RECEIVED")
            done = info["state"]["messages"] >= came and await self.road.done()
            return done and self.inbox.came == came

        await until(nothing_waits, "nothing waits")

    async def refuses(self, words: str) -> None:
        """Wait until the provider has refused something with these words."""

        async def refused() -> bool:
            return any(words in reply for reply in self.provider.refused)

        await until(refused, f"the provider says {words!r}")

    async def unread(self) -> int:
        """How many mails on the server nobody has taken."""
        mails = await asyncio.to_thread(self.inbox.dovecot.mails, self.inbox.account)
        return sum("\\Seen" not in mail.flags for mail in mails)

    async def hang_up(self, *, imap: bool = True) -> None:
        """The provider ends every connection by SMTP, and by IMAP."""
        self.provider.hang_up()
        if imap:
            await self.inbox.dovecot.disconnect(self.inbox.account)

    async def fate(self, mark: str) -> dict[str, Any]:
        """What `postroad post show` tells of a post to one list."""
        listed = await self.command("post", "ls", "--json", "--limit", "100")
        (post,) = [each for each in listed.json if each["subject"] == f"Größe {mark}"]
        shown = await self.command("post", "show", post["id"], "--json")
        (fate,) = shown.json["lists"]
        assert isinstance(fate, dict)
        return fate

    async def events(self, stream: str, subject: str) -> list[Event]:
        """All that a stream holds."""
        scan = self.road.broker.scan(stream, subject)
        return [event async for stored in scan for event in stored.envelope().events]


@asynccontextmanager
async def living(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    rules: Rules,
    habits: Habits,
    account: str,
    *,
    source: str,
    relay: str,
    domain: str,
    relay_user: str = "",
    identities: frozenset[str] = frozenset(),
) -> AsyncIterator[Day]:
    """A machine whose source and relay are this provider's. `source` and `relay` are what the
    guide has its reader write, OAUTH2 where the login by token goes; only hosts and ports are
    ours. Passwords are in `mail.pass`."""
    alarm, trusted, secret = home / "told", home / "authorities.pem", home / "mail.pass"
    secret.write_text(f"{PASSWORD}\n")
    secret.chmod(0o600)
    async with TokenServer.start(user=account) as tokens:

        def is_ours(token: str) -> bool:
            return tokens.user_of(token) == account

        by_token = "OAUTH2" in relay
        asks = tokens.introspection_url if "OAUTH2" in source else ""
        async with (
            Dovecot.start({account: PASSWORD}, oauth=asks) as dovecot,
            Provider.start(
                rules,
                account=relay_user or account,
                password=None if by_token else PASSWORD,
                tokens=is_ours if by_token else None,
                identities=identities,
                tls=True,
            ) as provider,
        ):
            inbox = Inbox(dovecot, account, habits)
            provider.deliver = inbox.bring
            assert provider.certificate is not None
            certificates = (dovecot.certificate.cert, provider.certificate.cert)
            trusted.write_text("".join(each.read_text() for each in certificates))
            monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
            settings = (
                f'[[source]]\nhost = "localhost"\nport = {dovecot.tls_port}\n{source}'
                f'[[relay]]\nhost = "localhost"\nport = {provider.port}\n{relay}'
                f"[alarm]\ncommand = 'tee -a {shlex.quote(str(alarm))}'\n"
            )
            async with System.start(home, _with(settings, tokens), domain=domain) as road:
                yield Day(road, provider, inbox, tokens, alarm)


def _with(settings: str, tokens: TokenServer) -> str:
    """The settings with the login by token in them: `oauth2 = "OAUTH2 google"`."""
    for kind in ("google", "microsoft"):
        settings = settings.replace(f'"OAUTH2 {kind}"', tokens.oauth2(kind))
    return settings
