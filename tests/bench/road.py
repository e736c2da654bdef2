"""Postroad as an operator runs it: `postroad up`, a real broker that syncs always, a real disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path

import msgspec

from postroad.mail.headers import scan
from postroad.mail.identity import body_digest
from postroad.mail.tokens import address_key
from postroad.runtime.blobs import put_raw
from postroad.runtime.broker import BATCH_LIMIT, Broker, Message
from postroad.runtime.children import die_with_parent
from postroad.runtime.clock import envelope, new_id
from postroad.runtime.config import Config
from postroad.runtime.embedded import access
from postroad.runtime.rollcall import rollcall
from postroad.runtime.service import ASKED_FOR, BESIDE, ROAD
from postroad.runtime.stored import Stored
from postroad.runtime.telemetry import Telemetry
from schemas import codec, subjects
from schemas.commands import Author, WhoIs
from schemas.envelope import Event
from schemas.membership import MemberSubscribed
from schemas.people import PersonKnown
from schemas.road import MailReceived, Origin, WindowRecorded
from tests.bench import processes
from tests.e2e.system import imap_source, postroad, smtp_relay, until
from tests.peers.process import free_port

BUILD = Path(__file__).resolve().parents[2] / "build"
RUNNING = (*ROAD, *(name for name in BESIDE if name not in ASKED_FOR))
SOURCE = "box"
POLL = 0.2  # seconds; the clock is the broker's, so we need not look often
SIZE = 4096  # octets of a mail


@dataclass(frozen=True)
class Mailbox:
    """Where ingest finds mail: an IMAP port of 127.0.0.1."""

    port: int
    user: str
    password: str


NOWHERE = Mailbox(0, "lists@example.org", "secret")


@dataclass(frozen=True)
class Road:
    """A running Postroad. `pids` are its processes, the broker and the supervisor among them."""

    home: Path
    broker: Broker
    pids: dict[str, int]
    telemetry: Telemetry

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls, relay: int, mailbox: Mailbox = NOWHERE, *, relays: str = "", more: str = ""
    ) -> AsyncIterator[Road]:
        """Run `postroad up` with default settings, sending to 127.0.0.1:`relay`, or with these
        [[relay]] sections, and with `more` settings. Its state lies under build/, because /tmp may
        be memory, where syncing costs nothing."""
        BUILD.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD, prefix="bench-") as place:
            home = Path(place)
            write_settings(home, mailbox, (relays or smtp_relay(relay)) + more)
            async with process(home, "postroad.cli", "up"), await _connected(home) as broker:
                yield cls(home, broker, await _ready(broker), Telemetry("bench"))

    async def cli(self, *words: str) -> None:
        """Run a `postroad` command that must succeed."""
        result = await postroad(*words, "--config", str(self.home / "postroad.toml"))
        assert result.code == 0, result.err or result.out

    async def make_list(self, address: str, members: int, *settings: str) -> float:
        """Create a list with so many members; the seconds `postroad member import` took."""
        await self.cli("list", "create", address, "default_nonmember_action=accept", *settings)
        people = self.home / "people.csv"
        people.write_text("email\n" + "\n".join(_addresses(address, members)) + "\n")
        began = asyncio.get_running_loop().time()
        await self.cli("member", "import", address, str(people))
        return asyncio.get_running_loop().time() - began

    async def seed(self, address: str, members: int, *settings: str) -> float:
        """The same, with everybody put into PEOPLE and MEMBERSHIP by us; the seconds until the
        roster has folded them."""
        await self.cli("list", "create", address, "default_nonmember_action=accept", *settings)
        created = await self.broker.last("LISTS", "lists.>")
        assert created is not None
        slug = created.subject.removeprefix("lists.")
        key = Config.load(self.home / "postroad.toml", {}).site_key()
        began = asyncio.get_running_loop().time()
        seqs = [0, 0]
        addresses = _addresses(address, members)
        while some := list(islice(addresses, BATCH_LIMIT)):
            persons = [os.urandom(12).hex() for _ in some]
            known = [
                Message(
                    subjects.people(address_key(key, each)),
                    _encode(PersonKnown(person=person, address=each, evidence="bench")),
                )
                for person, each in zip(persons, some, strict=True)
            ]
            joined = [
                Message(subjects.membership(slug, person), _encode(MemberSubscribed(how="bench")))
                for person in persons
            ]
            seqs = await asyncio.gather(*map(self.broker.publish_batch, (known, joined)))

        async def folded() -> bool:
            ask = msgspec.json.encode(WhoIs(list=slug, address=""))
            answer = await self.broker.request(subjects.command("whois"), ask)
            as_of = msgspec.json.decode(answer, type=Author).as_of
            return as_of.people >= seqs[0] and as_of.membership >= seqs[1]

        await until(folded, "the roster has folded everybody", patience=600.0)
        return asyncio.get_running_loop().time() - began

    @contextlib.asynccontextmanager
    async def another(self, service: str) -> AsyncIterator[None]:
        """Run one more process of a service for the length of the block."""
        async with process(self.home, "postroad.cli.serve", service):
            await until(partial(self._twice, service), f"a second {service} is ready")
            yield

    async def _twice(self, service: str) -> bool:
        reports = await rollcall(self.broker, (service, service))
        return sum(report.ready for report in reports if report.service == service) == 2

    async def store(self, data: bytes) -> MailReceived:
        """Store the bytes of a mail, as ingest does first."""
        mail_id = new_id()
        facts, head = scan(data, ())
        raw = await put_raw(self.broker, mail_id, 0, data, head)
        return MailReceived(
            mail_id=mail_id,
            origin=Origin(source=SOURCE),
            raw=raw,
            facts=facts,
            body_sha256=body_digest(data, head),
        )

    async def receive(self, event: MailReceived) -> None:
        """Put a stored mail onto the road, as ingest does next."""
        message = envelope([event], correlation=event.mail_id, actor="service:bench")
        with self.telemetry.root(event.mail_id, "bench.receive"):
            await self.broker.publish(
                subjects.received(SOURCE, event.mail_id), codec.encode(message), expect=0
            )

    async def routed_at(self, event: MailReceived) -> float:
        """When the broker stored the decision on a mail (Unix time)."""
        stored = await self.broker.last("ROUTED", f"mail.routed.post.*.{event.mail_id}")
        assert stored is not None, "the mail was not routed as a post"
        return stored.time.timestamp()

    async def recorded_at(self, event: MailReceived) -> float:
        """When the ledger had what became of a mail to one recipient (Unix time)."""
        found: list[Stored] = []

        async def recorded() -> bool:
            last = await self.broker.last("DELIVERY", f"delivery.*.{event.mail_id}.0")
            found.extend([last] if last else [])
            return bool(found)

        await until(recorded, "the mail was sent")
        return found[0].time.timestamp()

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU each process has used."""
        return processes.cpu(self.pids)

    async def idle(self) -> None:
        """Wait until no consumer has anything left to do."""

        async def nothing() -> bool:
            for durable in subjects.DURABLES:
                info = await self.broker.api(f"CONSUMER.INFO.{durable.stream}.{durable.name}")
                if info["num_pending"] or info["num_ack_pending"]:
                    return False
            return True

        await until(nothing, "the road is idle")

    async def accounts(self) -> Accounts:
        """The ledger from now on."""
        return Accounts(self.broker, await _last_entry(self.broker))


class Accounts:
    """What the ledger says from one moment on: copies accepted, and when the last entry was
    stored. An entry is written after the relay's reply, so no copy is later than that."""

    def __init__(self, broker: Broker, seq: int) -> None:
        self.broker = broker
        self.seq = seq
        self.accepted = 0
        self.failed = 0
        self.end: datetime | None = None

    async def reach(self, copies: int, patience: float = 120.0, *, exactly: bool = True) -> float:
        """Wait until exactly so many copies were accepted, or at least so many; when that was
        (Unix time). An exact number is counted once the ledger has come to rest: counting takes
        CPU time from what is measured."""
        deadline = asyncio.get_running_loop().time() + patience
        length = 0
        while self.accepted + self.failed < copies:
            await asyncio.sleep(POLL)
            before, length = length, await _last_entry(self.broker)
            if length == before or not exactly:
                await self._read()
            told = f"{self.accepted} accepted, {self.failed} failed of {copies}"
            assert asyncio.get_running_loop().time() < deadline, f"in {patience:g} s: {told}"
        assert not self.failed, "a copy failed"
        assert self.accepted == copies or not exactly, "a copy went out twice"
        assert self.end is not None
        return self.end.timestamp()

    async def _read(self) -> None:
        async for stored in self.broker.scan("DELIVERY", "delivery.>", self.seq + 1):
            self.seq = stored.seq
            for event in stored.envelope().events:
                if isinstance(event, WindowRecorded) and (outcome := event.outcome):
                    failed = len(outcome.failures)
                    self.failed += failed
                    self.accepted += outcome.end - outcome.start - failed
                    self.end = stored.time


async def _last_entry(broker: Broker) -> int:
    last = await broker.last("DELIVERY", "delivery.>")
    return last.seq if last else 0


def _addresses(list_: str, members: int) -> Iterator[str]:
    name = list_.replace("@", "-")  # nobody is on two lists
    return (f"{name}{n}@d{n % 100}.example.net" for n in range(members))


def _encode(event: Event) -> bytes:
    return codec.encode(envelope([event], correlation="bench", actor="bench"))


def mail(number: int | str, to: str) -> bytes:
    """A plain mail of SIZE octets with the Message-ID <number@bench>."""
    head = (
        "Return-Path: <anna@example.net>\r\n"
        "Received: from mx by mailbox; Fri, 20 Nov 2026 12:00:00 +0000\r\n"
        f"From: Anna <anna@example.net>\r\nTo: {to}\r\nSubject: post {number}\r\n"
        f"Message-ID: <{number}@bench>\r\nDate: Fri, 20 Nov 2026 12:00:00 +0000\r\n\r\n"
        f"This is post {number}.\r\n"
    ).encode()
    line = b"The quick brown fox jumps over the lazy dog, again and again and yet again.\r\n"
    body = line * ((SIZE - len(head)) // len(line))
    return head + body + b"." * (SIZE - len(head) - len(body) - 2) + b"\r\n"


def write_settings(home: Path, mailbox: Mailbox, relays: str) -> Path:
    """A settings file in `home` with this mailbox and these [[relay]] sections; its path."""
    password = home / "password"
    password.write_text(mailbox.password + "\n")
    password.chmod(0o600)
    source = imap_source(mailbox.port or free_port(), mailbox.user, password)
    config = home / "postroad.toml"
    config.write_text(
        '[site]\ndomain = "example.org"\n[dns]\nresolver = "none"\n'
        + source.replace('poll = "2s"\n', "")
        + relays
    )
    return config


@contextlib.asynccontextmanager
async def process(home: Path, module: str, *words: str) -> AsyncIterator[None]:
    """One of our programs, on the settings in `home`, for the length of the block."""
    config = str(home / "postroad.toml")
    with (home / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *words, "--config", config),
            env={**os.environ, "POSTROAD_LOG": "warning"},
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,
        )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _connected(home: Path) -> Broker:
    async def started() -> bool:
        return access(home / "state") is not None

    await until(started, "the broker is being started")
    reach = access(home / "state")
    assert reach is not None
    return await Broker.connect(reach.url, name="bench", wait=30)


async def _ready(broker: Broker) -> dict[str, int]:
    pids: dict[str, int] = {}

    async def all_ready() -> bool:
        for report in await rollcall(broker, (*RUNNING, "supervisor")):
            if report.ready:
                pids[report.service] = report.pid
            pids.update(
                (fact.kind, fact.facts["pid"]) for fact in report.facts if fact.kind == "broker"
            )
        return {*RUNNING, "supervisor", "broker"} <= set(pids)

    await until(all_ready, "every service is ready")
    return pids
