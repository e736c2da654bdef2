"""Two domains at one site: what comes in for one reaches nothing of the other, by no way."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import smtplib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

from tests.e2e.system import ROAD, System, mail, smtp_relay
from tests.peers.process import free_port
from tests.peers.sink import Sink

ANNA, ZOE = "anna@example.net", "zoe@example.net"
ONE, TWO = "team@one.org", "team@two.org"
_serial = itertools.count(1_772_600_000)


@dataclass
class Two:
    """A site of two domains, each with a Maildir of its own, and a relay that keeps all copies."""

    road: System
    sink: Sink
    home: Path
    posted: int = 0

    async def come(self, domain: str, data: bytes) -> None:
        """A mail comes into the Maildir of a domain; waits until all is done about it."""
        name = f"{next(_serial)}.M1.mx"
        written = self.home / domain / "tmp" / name
        written.write_bytes(data)
        written.rename(self.home / domain / "new" / name)
        self.posted += 1
        await self.road.settled(self.posted)

    def got(self, address: str) -> list[EmailMessage]:
        """What came to an address."""
        found = (each for each in self.sink.records() if each.recipients == (address,))
        return [_read(Path(record.file).read_bytes()) for record in found]

    def senders(self, address: str) -> list[str]:
        """The envelope senders of what came to an address."""
        return [each.sender for each in self.sink.records() if each.recipients == (address,)]

    async def unrouted(self) -> list[str]:
        """Why mail was for no list, the newest first."""
        told = await self.road.cli("post", "ls", "--unrouted", "--json")
        return [row["reason"] for row in told.json]

    async def kinds(self) -> list[str]:
        """`<kind>.<list>` of each decision in order, but for those that tell of done work."""
        return [
            ".".join(stored.subject.split(".")[2:4])
            async for stored in self.road.broker.scan("ROUTED", "mail.routed.>")
            if ".done." not in stored.subject
        ]


def _read(data: bytes) -> EmailMessage:
    parsed = BytesParser(policy=default).parsebytes(data)
    assert isinstance(parsed, EmailMessage)
    return parsed


@contextlib.asynccontextmanager
async def two(home: Path, **domains: Mapping[str, str]) -> AsyncIterator[Two]:
    """The site at work; `domains` are more settings of `one` and `two`."""
    settings = ""
    for name in ("one", "two"):
        for sub in ("tmp", "new", "cur"):
            (home / name / sub).mkdir(parents=True)
        extra = "".join(f'{k} = "{v}"\n' for k, v in domains.get(name, {}).items())
        settings += f'[[domain]]\nname = "{name}.org"\n{extra}'
        settings += f'[[source]]\nname = "{name}"\nkind = "maildir"\nstart = "all"\n'
        settings += f'path = "{home}/{name}"\ndomain = "{name}.org"\n'
    async with Sink.start(keep=True) as sink:
        settings += smtp_relay(sink.port)
        async with System.start(home, settings, services=ROAD, domain="one.org") as road:
            yield Two(road, sink, home)


def answer(to: str, subject: str = "Re: x", author: str = ZOE) -> bytes:
    """A mail as a person writes it."""
    head = f"Return-Path: <{author}>\r\nFrom: Zoe <{author}>\r\nTo: {to}\r\nSubject: {subject}\r\n"
    return f"{head}Message-ID: <{next(_serial)}@zoe>\r\n\r\nYes.\r\n".encode()


async def test_neither_posts_nor_commands_nor_tokens_cross(tmp_path: Path) -> None:
    """A post, a command, a confirmation and a bounce for a list of the other domain come to
    nothing, however right their tokens are, and do what they should in their own."""
    async with two(tmp_path) as here:
        await here.road.make_list(ONE, [ANNA])
        await here.road.make_list(TWO, [ANNA], send_welcome_message="false")
        await here.come("one", mail("crossing", TWO))
        await here.come("one", answer("team-join@two.org", "join"))
        assert here.sink.records() == []
        reasons = await here.unrouted()
        assert len(reasons) == 2
        assert all(why.startswith("none of its recipients is a list of one.org") for why in reasons)
        # to both, found in one of the two: the list there has it, and the other does not
        await here.come("one", mail("both", f"{ONE}, {TWO}"))
        assert [str(copy["List-Id"]) for copy in here.got(ANNA)] == ["Team <team.one.org>"]
        # a confirmation
        await here.come("two", answer("team-join@two.org", "join"))
        (letter,) = here.got(ZOE)
        asks = str(letter["Reply-To"] or letter["From"])
        token = re.search(r"\+([a-z0-9]{26})@", asks)
        assert token is not None
        for crossing in (asks, f"confirm+{token[1]}@one.org", f"team-confirm+{token[1]}@one.org"):
            await here.come("one", answer(crossing))
        rows = (await here.road.cli("member", "ls", TWO, "--json")).json
        assert [row["address"] for row in rows] == [ANNA]
        await here.come("two", answer(asks))
        rows = (await here.road.cli("member", "ls", TWO, "--json")).json
        assert {row["address"] for row in rows} == {ANNA, ZOE}
        # a bounce
        await here.come("two", mail("post", TWO))
        sender = next(each for each in here.senders(ANNA) if each.endswith("@two.org"))
        before = len(await here.kinds())
        await here.come("one", answer(sender, "Undelivered", "mailer-daemon@example.net"))
        await here.come("two", answer(sender, "Undelivered", "mailer-daemon@example.net"))
        assert (await here.kinds())[before:] == ["unrouted.none", "bounce.team-two-org"]


async def test_whoever_runs_a_domain_is_reached(tmp_path: Path) -> None:
    """postmaster@ and its like go to the owner of that very domain, from anybody, with nothing to
    bounce to; what comes round is stopped, and automatic answers are. A list of such a name keeps
    its mail."""
    owners = {"one": {"owner": "boss@office.net"}}
    async with two(tmp_path, **owners) as here:
        await here.road.make_list("abuse@one.org", [ANNA])
        await here.come("one", answer("Postmaster@one.org"))
        (copy,) = here.got("boss@office.net")
        assert str(copy["From"]) == f"Zoe <{ZOE}>"
        assert here.senders("boss@office.net") == [""]
        assert "List-Id" not in copy
        (row,) = (await here.road.cli("post", "ls", "--json")).json
        shown = await here.road.cli("post", "show", row["id"])
        assert shown.code == 0
        await here.come("one", copy.as_bytes())
        await here.come("one", b"Auto-Submitted: auto-replied\r\n" + answer("mailman@one.org"))
        assert len(here.got("boss@office.net")) == 1
        await here.come("one", mail("abuse", "abuse@one.org, listmaster@one.org"))
        assert len(here.got("boss@office.net")) == 2
        assert len(here.got(ANNA)) == 1
        await here.come("two", answer("postmaster@two.org"))
        assert await here.unrouted() == [
            "it is for whoever runs a domain that has no owner; set owner in its [[domain]]"
        ]
        assert here.sink.violations() == []


async def test_mail_to_nobody_goes_where_the_domain_says(tmp_path: Path) -> None:
    """To its owner or to a list of it, under that list's rules and though it does not name the
    list; nobody is answered. By default it is recorded as for no list."""
    domains = {
        "one": {"owner": "boss@office.net", "catch_all": "owner"},
        "two": {"catch_all": TWO},
    }
    async with two(tmp_path, **domains) as here:
        await here.come("two", answer("early@two.org"))
        assert "(catch_all) does not exist" in (await here.unrouted())[0]
        await here.road.make_list(TWO, [ANNA])
        await here.come("one", answer("sales@one.org"))
        assert len(here.got("boss@office.net")) == 1
        await here.come("one", answer("sales@two.org"))
        assert len(here.sink.records()) == 1
        await here.come("two", mail("stray", "sales@two.org"))
        assert [str(copy["List-Id"]) for copy in here.got(ANNA)] == ["Team <team.two.org>"]
        await here.come("two", b"Precedence: bulk\r\n" + answer("sales@two.org", "Out of office"))
        assert len(here.sink.records()) == 2
        assert (await here.kinds())[-1] == "held.team-two-org"


async def test_mail_to_nobody_may_be_discarded(tmp_path: Path) -> None:
    """Recorded, and not among what waits for somebody to care."""
    async with two(tmp_path, one={"catch_all": "discard"}) as here:
        await here.come("one", answer("sales@one.org"))
        await here.come("one", answer("sales@elsewhere.org"))
        assert await here.kinds() == ["discarded.none", "unrouted.none"]
        assert here.sink.records() == []


async def test_a_socket_takes_what_somebody_gets(tmp_path: Path) -> None:
    """At RCPT: postmaster@ of a domain with an owner, anybody of one that catches all, whatever is
    said to a source for one list; and nobody of the other domain."""
    domains = '[[domain]]\nname = "one.org"\nowner = "boss@office.net"\n'
    domains += '[[domain]]\nname = "two.org"\ncatch_all = "team@two.org"\n'
    ports = free_port(), free_port(), free_port()
    reaches = ('domain = "one.org"', 'domain = "two.org"', f'list = "{ONE}"')
    for name, port, reach in zip(("one", "two", "list"), ports, reaches, strict=True):
        domains += f'[[source]]\nkind = "lmtp"\nname = "{name}"\nport = {port}\n{reach}\n'
    async with System.start(tmp_path, domains, domain="one.org") as road:
        await road.make_list(ONE, [ANNA])
        asked = ["postmaster@one.org", "x@one.org", "x@two.org", "postmaster@two.org", TWO]
        codes = [await asyncio.to_thread(_codes, port, asked) for port in ports]
    assert codes == [
        [250, 550, 550, 550, 550],
        [550, 550, 250, 250, 250],
        [250, 250, 250, 250, 250],
    ]


def _codes(port: int, recipients: Sequence[str]) -> list[int]:
    with smtplib.LMTP("127.0.0.1", port, timeout=30) as client:
        client.ehlo()
        client.mail(ZOE)
        return [client.rcpt(recipient)[0] for recipient in recipients]
