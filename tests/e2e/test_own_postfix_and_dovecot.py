"""docs/providers/postfix-dovecot.md is true: its own text sets up Postfix, Dovecot and Postroad,
and lists live there for a day."""

from __future__ import annotations

import asyncio
import os
import smtplib
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.service import connect
from schemas import subjects
from schemas.envelope import Event
from schemas.road import BounceRouted, MailUnrouted, PostRouted
from tests.architecture.documents import DOCS, Document
from tests.e2e.system import Result, postroad, until
from tests.peers import postfix as postfixes
from tests.peers.checker import Post, check
from tests.peers.dovecot import Dovecot
from tests.peers.postfix import Postfix
from tests.peers.process import Daemon, program
from tests.peers.sink import Record, Rule, Script, Sink

MAILBOX, PASSWORD = "lists@example.org", "correct horse"
TEAM, CREW = "team@lists.example.org", "crew@lists.example.org"
ANN, BEN, EVA = "ann@alpha.example", "ben@beta.example", "eva@slow.example"
DEAD, OWNER = "dan@gone.example", "olga@alpha.example"
STRANGER, ZOE = "stranger@alpha.example", "zoe@alpha.example"
ON_TEAM, ON_CREW = (ANN, BEN, EVA, DEAD), (BEN, EVA)
TEAM_SLUG = "team-lists-example-org"
JOIN = "team-join@lists.example.org"
FOR_EVA = 5  # posts: her domain says "later" to each of them once
LETTERS = 2  # to somebody who joins: the question and the welcome
MAILS = 13  # six, one of them to two lists; a join and its answer; four bounces of Dan's


def files() -> dict[str, str]:
    """Every file that the guide has its reader write, by path."""
    guide = Document(DOCS / "providers" / "postfix-dovecot.md")
    blocks = (*guide.fences("conf"), *guide.fences("toml"))
    return {block.partition("\n")[0].removeprefix("# "): block for block in blocks}


FILES = files()


def tables() -> dict[str, str]:
    """The files of /etc/postfix beside main.cf and master.cf, by name."""
    folder = "/etc/postfix/"
    names = (path.removeprefix(folder) for path in FILES if path.startswith(folder))
    return {name: FILES[folder + name] for name in names if not name.endswith(".cf")}


class Mailboxes(Dovecot):
    """Dovecot with what the guide adds to it, on a port of the test's."""

    def _configuration(self) -> str:
        self.pop3_port = self.pop3s_port = None  # the guide's server speaks no POP3
        added = FILES["/etc/dovecot/conf.d/99-postroad.conf"]
        return super()._configuration() + added.replace("port = 24", f"port = {self.lmtp_port}")


@dataclass
class Place:
    """The guide's machine, and the world beyond it: a sink for every domain of a member."""

    home: Path
    dovecot: Dovecot
    postfix: Postfix
    world: Sink

    async def command(self, *words: str) -> Result:
        """A `postroad` command, which must succeed."""
        done = await postroad(*words, "--config", str(self.home / "postroad.toml"))
        assert done.code == 0, done.err
        return done

    async def post(
        self, author: str, number: int, to: Sequence[str], *, hidden: bool = False, answers: int = 0
    ) -> None:
        """Have somebody post. `hidden`: the recipients stand in no header (Bcc)."""
        mail = EmailMessage()
        mail["To"] = "somebody@elsewhere.example" if hidden else ", ".join(to)
        mail["Subject"] = f"mail {number}"
        mail["Message-ID"] = f"<{number}@day>"
        if answers:
            mail["In-Reply-To"] = mail["References"] = f"<{answers}@day>"
        mail.set_content("Hello\n")
        await self.send(author, mail, to)

    async def send(self, author: str, mail: EmailMessage, to: Sequence[str]) -> None:
        """Have somebody mail by SMTP."""
        mail["From"] = author
        mail["Date"] = format_datetime(localtime())

        def speak() -> None:
            with smtplib.SMTP("127.0.0.1", self.postfix.port, "localhost", 30) as client:
                client.send_message(mail, author, list(to))

        await asyncio.to_thread(speak)

    def copies(self) -> list[Record]:
        """What members were sent of the day's posts."""
        return [record for record in self.world.records() if record.message_id.endswith("@day>")]

    def letters(self) -> list[Record]:
        """What Postroad itself wrote to people."""
        return [r for r in self.world.records() if not r.message_id.endswith("@day>")]

    async def healthy(self) -> bool:
        """Whether `postroad status` finds nothing wrong."""
        told = await postroad("status", "--config", str(self.home / "postroad.toml"))
        return told.code == 0


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """Postfix, Dovecot and Postroad as the guide sets them up. The environment tells Postroad
    where the test has put them; everything else is the guide's."""
    postfixes.require()
    no_dan = Rule(at="rcpt", match="^dan@", reply="550 5.1.1 No such user")
    greylist = Rule(at="rcpt", match="@slow", times=FOR_EVA, reply="450 4.2.0 Later")
    async with (
        Mailboxes.start({MAILBOX: PASSWORD}) as dovecot,
        Sink.start(Script(rules=(no_dan, greylist)), keep=True) as world,
        mail_server(dovecot, world) as postfix,
    ):
        (tmp_path / "postroad.toml").write_text(FILES["/etc/postroad/postroad.toml"])
        (tmp_path / "mail.pass").write_text(f"{PASSWORD}\n")
        (tmp_path / "mail.pass").chmod(0o600)
        monkeypatch.setenv("SSL_CERT_FILE", str(dovecot.certificate.cert))
        monkeypatch.setenv("POSTROAD_SITE__STATE_DIR", str(tmp_path / "state"))
        monkeypatch.setenv("POSTROAD_SOURCE__0__HOST", "localhost")
        monkeypatch.setenv("POSTROAD_SOURCE__0__PORT", str(dovecot.tls_port))
        monkeypatch.setenv("POSTROAD_RELAY__0__PORT", str(postfix.port))
        yield Place(tmp_path, dovecot, postfix, world)


@asynccontextmanager
async def mail_server(dovecot: Dovecot, world: Sink) -> AsyncIterator[Postfix]:
    """Postfix with the guide's lines; mail for the rest of the world goes to the sink."""
    lines = [line.partition("=") for line in FILES["/etc/postfix/main.cf"].splitlines()[1:]]
    settings = {key.strip(): value.strip() for key, _, value in lines}
    lmtp = f"127.0.0.1:{dovecot.lmtp_port}"
    async with Postfix.start(
        f"smtp:[127.0.0.1]:{world.port}",
        settings,
        services=FILES["/etc/postfix/master.cf"],
        tables={name: text.replace("127.0.0.1:24", lmtp) for name, text in tables().items()},
    ) as postfix:
        yield postfix


async def events(broker: Broker, stream: str, subject: str) -> list[Event]:
    """Every event of a stream's subjects."""
    return [e async for stored in broker.scan(stream, subject) for e in stored.envelope().events]


async def nothing_waits(broker: Broker, mails: int) -> bool:
    """Whether so many mails were received and no service has anything left to do."""
    info = await broker.api("STREAM.INFO.RECEIVED")
    if info["state"]["messages"] < mails:
        return False
    for durable in subjects.DURABLES:
        told = await broker.api(f"CONSUMER.INFO.{durable.stream}.{durable.name}")
        if told["num_pending"] or told["num_ack_pending"]:
            return False
    return True


async def join(place: Place, who: str) -> None:
    """Join the team by mail: write to its -join address and answer what comes back."""
    please = EmailMessage()
    please["To"], please["Subject"] = JOIN, "please"
    please.set_content("")
    await place.send(who, please, [JOIN])

    async def written(letters: int) -> bool:
        return len(place.letters()) == letters

    await until(lambda: written(1), "they are asked to confirm")
    (asked,) = place.letters()
    data = await asyncio.to_thread(Path(asked.file).read_bytes)
    question = message_from_bytes(data, policy=policy.SMTP)
    address = question["Reply-To"].addresses[0].addr_spec
    answer = EmailMessage()
    answer["To"], answer["Subject"] = address, f"Re: {question['Subject']}"
    answer["In-Reply-To"] = question["Message-ID"]
    answer.set_content("Yes.\n")
    await place.send(who, answer, [address])
    await until(lambda: written(2), "they are welcome")
    assert {record.recipients for record in place.letters()} == {(who,)}
    assert {record.sender for record in place.letters()} == {""}


@pytest.mark.timeout(300)
async def test_lists_live_a_day_on_the_guides_postfix_and_dovecot(place: Place) -> None:
    """Posts, a cross-post, a Bcc, a reply and a mail to the owners reach everybody they are for,
    once, also where Postfix has to wait; somebody joins by mail and gets the next post; a dead
    address comes back as a bounce of that copy, and nobody is blamed."""
    serve = (sys.executable, "-m", "postroad.cli", "up")
    config = place.home / "postroad.toml"
    async with Daemon((*serve, "--config", str(config)), [], place.home / "log"):
        await until(place.healthy, "Postroad is healthy")
        for address in (TEAM, CREW):
            in_bcc = ["require_explicit_destination=false"] * (address == CREW)
            await place.command("list", "create", address, *in_bcc)
        await place.command("member", "add", TEAM, *ON_TEAM, "--confirmed")
        await place.command("member", "add", CREW, *ON_CREW, "--confirmed")
        await place.command("member", "add", TEAM, OWNER, "--role", "owner", "--confirmed")
        await place.post(ANN, 1, [TEAM])
        await place.post(BEN, 2, [TEAM, CREW])
        await place.post(BEN, 3, [CREW], hidden=True)
        await place.post(EVA, 4, [TEAM], answers=1)
        await place.post(STRANGER, 5, ["team-owner@lists.example.org"])

        async def deferred() -> bool:
            waiting = [m for m in place.postfix.queue() if m["queue_name"] == "deferred"]
            return len(waiting) == FOR_EVA

        await until(deferred, "Postfix waits for the domain that says later")
        place.postfix.flush()
        await join(place, ZOE)
        await place.post(ANN, 6, [TEAM])
        team, crew = frozenset({ANN, BEN, EVA}), frozenset(ON_CREW)
        posts = [
            Post("<1@day>", team, list_id="team.lists.example.org"),
            Post("<2@day>", team, list_id="team.lists.example.org"),
            Post("<2@day>", crew, list_id="crew.lists.example.org"),
            Post("<3@day>", crew, list_id="crew.lists.example.org"),
            Post("<4@day>", team, list_id="team.lists.example.org"),
            Post("<5@day>", frozenset({OWNER})),
            Post("<6@day>", team | {ZOE}, list_id="team.lists.example.org"),
        ]
        await place.world.wait_for(sum(len(post.recipients) for post in posts) + LETTERS)
        async with await connect(Config.load(config, os.environ), "test") as broker:
            await until(lambda: nothing_waits(broker, MAILS), "everything went down the road")
            routed = await events(broker, "ROUTED", "mail.routed.>")
            assert not await events(broker, "DEADLETTER", "deadletter.>")
        report = check(place.copies(), posts)
        assert report.exact, report
        assert len(place.letters()) == LETTERS
        assert not any(isinstance(event, MailUnrouted) for event in routed)

        senders = {record.sender for record in place.copies()}
        assert len(senders) == len(place.copies())  # each its own, to tell them apart by
        assert {sender.partition("@")[2] for sender in senders} == {"lists.example.org"}
        bounces = [event for event in routed if isinstance(event, BounceRouted)]
        of_team = {e.mail_id for e in routed if isinstance(e, PostRouted) and e.list == TEAM_SLUG}
        assert {bounce.about for bounce in bounces} == of_team
        assert len(bounces) == len(of_team)
        assert all(bounce.number >= 0 for bounce in bounces)
        for address in (TEAM, CREW):
            told = await place.command("member", "ls", address, "--json")
            assert {member["delivery_status"] for member in told.json} == {"enabled"}
        assert not place.postfix.queue()
        assert await place.healthy()


def test_the_guides_list_of_lists_takes_their_addresses_alone(tmp_path: Path) -> None:
    """The map for those who want no catch-all takes every address of its lists, and no other."""
    taken = {
        TEAM,
        JOIN,
        "crew-leave+aaaa@lists.example.org",
        "team-bounces+aaaa@lists.example.org",
        "team+bounces-aaaa@lists.example.org",
    }
    refused = {
        "teams@lists.example.org",
        "invented@lists.example.org",
        "team-invented@lists.example.org",
        "team@lists.example.org.elsewhere.example",
    }
    (tmp_path / "main.cf").touch()  # or postmap wants the one in /etc
    (tmp_path / "lists").write_text(FILES["/etc/postfix/postroad-lists"])
    table = f"regexp:{tmp_path / 'lists'}"
    asked = subprocess.run(
        [program("postmap", "postfix"), "-c", str(tmp_path), "-q", "-", table],
        input="".join(f"{address}\n" for address in taken | refused),
        capture_output=True,
        text=True,
        check=False,
    )
    told = dict(line.split() for line in asked.stdout.splitlines())
    assert told == dict.fromkeys(taken, MAILBOX), asked.stderr
