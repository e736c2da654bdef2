"""Whatever happens, nobody's address, token or secret is in a log, a span, a metric, a subject, an
argument, a status or an alarm: canaries are planted, and looked for by other code than ours."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.embedded import access
from postroad.runtime.health import STATUS_SUBJECT
from postroad.runtime.oauth.provider import identity
from postroad.runtime.oauth.store import Login, Store
from schemas import subjects
from tests.e2e.installation import Installation, Up
from tests.e2e.system import ROAD, Result, postroad, until
from tests.peers.dovecot import Dovecot
from tests.peers.httpscript import HttpScript
from tests.peers.process import free_port
from tests.peers.sink import Record, Rule, Script, Sink
from tests.peers.traces import tells

pytestmark = pytest.mark.e2e

BOX = "lists@lists.example.org"
TEAM = "team@lists.example.org"
ZOE, ANN, BOB, DAN, EVE = (
    f"{name}.unmistakable@{host}.example"
    for name, host in (
        *(("zoe", "joins"), ("ann", "writes"), ("bob", "gone")),
        *(("dan", "refused"), ("eve", "strange")),
    )
)
SOURCE, RELAY, WRONG = "Src-pw-4711-canary", "Rly-pw-4712-canary", "Wrg-pw-4713-canary"
REFRESH, ACCESS = "refresh-4714-canary-token", "access-4715-canary-token"
NAME, SUBJECT, BODY = "Annabella Ungewöhnlich", "Gehaltsliste-4716", "Vertrauliches-4717"
# what people and secrets are known by; more is learned on the way
PLANTED = {
    **{address: address.partition("@")[0] for address in (ZOE, ANN, BOB, DAN, EVE)},
    **{word: word for word in (SOURCE, RELAY, WRONG, REFRESH, ACCESS, SUBJECT, BODY)},
    NAME: NAME,
}


@dataclass
class Watched:
    """What is looked at in the end: a text for each place, and the canaries by what they are."""

    places: dict[str, bytes] = field(default_factory=dict)
    canaries: dict[str, str] = field(default_factory=lambda: dict(PLANTED))
    found: set[str] = field(default_factory=set)  # where they belong: the search is not blind

    def add(self, place: str, data: bytes) -> None:
        """What was seen there, beside what was."""
        self.places[place] = self.places.get(place, b"") + data + b"\n"

    def hits(self) -> Iterator[str]:
        """Where a canary sings."""
        for place, data in self.places.items():
            for what, word in self.canaries.items():
                if how := tells(data, word):
                    yield f"{what} in {place} ({how}): {_around(data, word)!r}"


def _around(data: bytes, word: str) -> str:
    at = data.lower().find(word.lower().encode())
    return data[max(0, at - 200) : at + 200].decode("utf-8", "replace") if at >= 0 else ""


@contextmanager
def arguments(root: int, watched: Watched) -> Iterator[None]:
    """Collect the command lines of a process and all below it, meanwhile."""
    ending, seen = threading.Event(), set[bytes]()

    def look() -> None:
        while not ending.wait(0.2):
            seen.update(_command_lines(root))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
        watched.add("arguments", b"\n".join(seen).replace(b"\0", b" "))
        assert any(b"nats-server" in line for line in seen)


def _command_lines(root: int) -> Iterator[bytes]:
    parents, lines = dict[int, int](), dict[int, bytes]()
    for entry in os.scandir("/proc"):
        with contextlib.suppress(OSError):
            if entry.name.isdecimal():
                lines[int(entry.name)] = Path(entry.path, "cmdline").read_bytes()
                stat = Path(entry.path, "stat").read_text(encoding="latin-1")
                parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    for pid, line in lines.items():
        above = pid
        while above not in (0, root):
            above = parents.get(above, 0)
        if above == root:
            yield line


@dataclass
class Site:
    """An installation with everything that may go wrong in it."""

    ours: Installation
    up: Up
    dovecot: Dovecot
    sink: Sink
    broker: Broker
    watched: Watched

    async def cli(self, *words: str) -> Result:
        """A command, on our settings."""
        return await postroad(*words, "--config", str(self.ours.config))

    def mail(self, author: str, to: str, subject: str, body: str = BODY, extra: str = "") -> None:
        """Somebody's mail comes into the mailbox."""
        number = len(self.watched.canaries) * 1000 + abs(hash((author, to, subject, body))) % 1000
        head = f"Return-Path: <{author}>\r\nFrom: {NAME} <{author}>\r\nTo: {to}\r\n"
        head += f"Delivered-To: {to}\r\nSubject: {subject}\r\n{extra}"
        head += f"Message-ID: <{number}@posts>\r\nDate: Fri, 20 Nov 2026 12:00:00 +0000\r\n"
        self.dovecot.deliver(BOX, f"{head}\r\n{body}\r\n".encode())

    async def to(self, address: str, count: int) -> Record:
        """The mail that an address gets as its `count`-th."""
        found: list[Record] = []

        async def came() -> bool:
            found[:] = [r for r in self.sink.records() if address in r.recipients]
            return len(found) >= count

        await until(came, f"mail number {count} to {address}")
        return found[count - 1]

    def learn(self, what: str, text: str, pattern: str) -> str:
        """A token that was made on the way is a canary, too."""
        found = re.search(pattern, text)
        assert found, (what, text)
        self.watched.canaries[what] = found[1]
        return found[1]


def settings(home: Path, dovecot: Dovecot, sink: Sink, tokens: HttpScript) -> str:
    """A mailbox and a relay that work, and of each one that does not."""
    files = {"s": SOURCE, "r": RELAY, "w": WRONG}
    for name, text in files.items():
        (home / name).write_text(text)
        (home / name).chmod(0o600)
    oauth = f'{{ provider = "custom", client_id = "c", token_url = "{tokens.url}" }}'
    box = f'host = "127.0.0.1"\nport = {dovecot.port}\ntls = "none"\npoll = "1s"\n'
    out = f'host = "127.0.0.1"\nport = {sink.port}\ntls = "none"\nretry_after = "1s"\n'
    return (
        '[site]\ndomain = "lists.example.org"\nstate_dir = "state"\n'
        f"[telemetry]\nport = {free_port()}\n"
        f'[alarm]\ncommand = "tee -a {home}/alarms"\n'
        f'[[source]]\nname = "home"\n{box}user = "{BOX}"\npassword_file = "s"\nstart = "all"\n'
        f'recipient_headers = ["Delivered-To"]\n'
        f'[[source]]\nname = "shut"\n{box}user = "{BOX}"\npassword_file = "w"\n'
        f'[[source]]\nname = "token"\n{box}user = "{BOX}"\noauth2 = {oauth}\n'
        f'[[relay]]\nname = "out"\n{out}user = "relay"\npassword_file = "r"\n'
        f'[[relay]]\nname = "no"\n{out}user = "relay"\npassword_file = "w"\n'
        'domains = ["refused.example"]\n'
    )


@asynccontextmanager
async def site(home: Path) -> AsyncIterator[Site]:
    """Everything runs: `postroad up` with all its services, and what it talks to."""
    refused = f"550 5.1.1 <{BOB}>: {BOB} is unknown here; ask {BOB.replace('@', '%40')}"
    bob = Rule(at="rcpt", match="^bob", after=1, reply=refused)
    script = Script(users={"relay": RELAY}, rules=(bob,))
    broken = json.dumps({"error": "invalid_grant", "error_description": f"{REFRESH} has ended"})
    watched = Watched()
    async with (
        Dovecot.start({BOX: SOURCE}) as dovecot,
        Sink.start(script, keep=True) as sink,
        HttpScript.start([f"400 Bad Request | {broken}"] * 1000) as tokens,
    ):
        config = home / "postroad.toml"
        config.write_text(settings(home, dovecot, sink, tokens))
        ours = Installation(home, config, {})
        read = Config.load(config, {})
        old = Login(refresh_token=REFRESH, access_token=ACCESS, lifetime=1.0)
        Store(read.site.state_dir).write(identity(read.source[2]), old)
        running = ours.up(only=(*ROAD, "projector", "monitor"))
        up = await asyncio.to_thread(running.__enter__)
        try:
            reach = access(read.site.state_dir)
            assert reach is not None
            watched.canaries["broker password"] = reach.password
            async with await Broker.connect(reach.url, name="test") as broker:
                with arguments(up.process.pid, watched):
                    yield Site(ours, up, dovecot, sink, broker, watched)
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)
        watched.add("logs", up.log.encode())
        watched.add("broker's log", (home / "state" / "broker" / "nats.log").read_bytes())
        watched.add("alarms", (home / "alarms").read_bytes())


async def look(here: Site) -> None:
    """Status, health reports with their metrics, spans, subjects, as they are now."""
    for words in (("status",), ("status", "--json")):
        told = await here.cli(*words)
        here.watched.add("status", (told.out + told.err).encode())
    async with httpx.AsyncClient(timeout=20) as client:
        port = os.environ["POSTROAD_TELEMETRY__PORT"]
        for page in ("metrics", "healthz", "readyz"):
            answer = await client.get(f"http://127.0.0.1:{port}/{page}")
            here.watched.add(page, answer.content)
    inbox = here.broker.nc.new_inbox()
    replies = await here.broker.nc.subscribe(inbox)
    await here.broker.nc.publish(STATUS_SUBJECT, b"", reply=inbox)
    for _ in range(4):  # the road, at least
        here.watched.add("reports and metrics", (await replies.next_msg(timeout=20)).data)
    await replies.unsubscribe()
    for stream in subjects.STREAMS:
        async for stored in here.broker.scan(stream.name, ">"):
            here.watched.add("subjects", f"{stored.subject} {dict(stored.headers)}".encode())
            if stream.name == "SPANS":
                here.watched.add("spans", stored.data)
            if stream.name == "RAW":
                here.watched.found |= {w for w, c in PLANTED.items() if tells(stored.data, c)}


def bounce(copy: Record) -> str:
    """What the report of an undeliverable copy says."""
    (to,) = copy.recipients
    return (
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.gone.example"
        f"\r\n\r\nFinal-Recipient: rfc822; {to}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        f"Diagnostic-Code: smtp; 550 5.1.1 <{to}> no such user\r\n--b--\r\n"
    )


async def _people_come_and_write(here: Site) -> Record:
    """Members by hand and by mail, a post, copies that are refused and come back; the copy that
    Ann has."""
    created = await here.cli("list", "create", TEAM)
    assert created.code == 0, created.err
    people = here.ours.home / "people.csv"
    rows = "".join(f"{address},{NAME}\n" for address in (ANN, BOB, DAN))
    await asyncio.to_thread(people.write_text, f"email,name\n{rows}")
    added = await here.cli("member", "import", TEAM, str(people))
    assert added.code == 0, added.err
    here.mail(ZOE, TEAM.replace("@", "-join@"), "")
    question = await here.to(ZOE, 1)
    asked = await asyncio.to_thread(Path(question.file).read_text, errors="replace")
    token = here.learn("confirmation token", asked, r"team-confirm[+]([0-9a-z]{16,})@")
    here.mail(ZOE, f"team-confirm+{token}@lists.example.org", "Re: confirm")
    await here.to(ZOE, 2)
    here.mail(ANN, TEAM, SUBJECT)
    copy = await here.to(ANN, 1)
    here.learn("VERP token", copy.sender, r"team-bounces[+]([0-9a-z]{12,})@")
    way_out = unquote(copy.headers)
    here.learn("unsubscribe token", way_out, r"team-leave[+]([0-9a-z]{16,})@")
    here.mail(
        "",
        (await here.to(BOB, 1)).sender,
        "Undelivered",
        bounce(await here.to(BOB, 1)),
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n',
    )
    here.mail(EVE, TEAM, SUBJECT)
    return copy


async def test_nothing_leaks_from_a_full_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People join by mail, post, bounce and are held; logins are refused, a relay repeats an
    address, a mail is parked, services are killed: no canary sings anywhere."""
    monkeypatch.setenv("POSTROAD_LOG", "debug")
    monkeypatch.setenv("POSTROAD_TELEMETRY__PORT", str(free_port()))
    async with site(tmp_path) as here:
        await _people_come_and_write(here)
        here.mail(ANN, TEAM, f"{SUBJECT} again")  # Bob is refused, in words that name him
        await here.to(ZOE, 4)
        poison = f'{{"v":1,"t":"mail_received","from":"{ANN}","subject":"{SUBJECT}"}}'
        await here.broker.publish(subjects.received("home", "f" * 32), poison.encode())
        await _told(here, "status", "--json", holds=lambda told: bool(told["parked"]))
        for name in ("sender", "router", "membership"):
            for pid in {*here.ours.processes(name)} - {here.up.process.pid}:
                os.kill(pid, 9)
        here.mail(ANN, TEAM, f"{SUBJECT} at last")
        await here.to(ZOE, 5)
        await look(here)
    watched = here.watched
    key = (tmp_path / "state" / "site.key").read_bytes()
    watched.canaries["site key"] = key.decode("latin-1")
    places = {"logs", "alarms", "status", "spans", "subjects", "arguments", "reports and metrics"}
    places |= {"metrics", "healthz"}
    assert b"postroad_" in watched.places["metrics"]
    assert places <= watched.places.keys()
    assert b"relay no" in watched.places["alarms"]
    assert b"message.parked" in watched.places["logs"]
    assert b"service.killed" in watched.places["logs"] or b"SIGKILL" in watched.places["logs"]
    assert watched.found >= {ZOE, ANN, BOB, EVE, SUBJECT, BODY, NAME}
    assert sorted(watched.hits()) == []


async def _told(here: Site, *words: str, holds: Callable[[Mapping[str, Any]], bool]) -> None:
    """Wait until a command's JSON is so."""

    async def so() -> bool:
        return holds((await here.cli(*words)).json)

    await until(so, f"{words} says so")
