"""Postroad as an operator runs it: `postroad up`, a real broker that syncs always, a real disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from postroad.mail.headers import scan
from postroad.mail.identity import body_digest
from postroad.runtime.blobs import put_raw
from postroad.runtime.broker import Broker
from postroad.runtime.children import die_with_parent
from postroad.runtime.clock import envelope, new_id
from postroad.runtime.embedded import access
from postroad.runtime.rollcall import rollcall
from postroad.runtime.service import ROAD
from postroad.runtime.telemetry import Telemetry
from schemas import codec, subjects
from schemas.road import MailReceived, Origin, WindowRecorded
from tests.bench import processes
from tests.e2e.system import imap_source, postroad, smtp_relay, until
from tests.peers.process import free_port

BUILD = Path(__file__).resolve().parents[2] / "build"
SOURCE = "box"
POLL = 0.05
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
    async def start(cls, relay: int, mailbox: Mailbox = NOWHERE) -> AsyncIterator[Road]:
        """Run `postroad up` with default settings, sending to 127.0.0.1:`relay`. Its state lies
        under build/, because /tmp may be memory, where syncing costs nothing."""
        BUILD.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD, prefix="bench-") as place:
            home = Path(place)
            config = _settings(home, relay, mailbox)
            with (home / "log").open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "postroad.cli", "up", "--config", str(config)),
                    env={**os.environ, "POSTROAD_LOG": "warning"},
                    stdout=log,
                    stderr=log,
                    preexec_fn=die_with_parent,
                )
            try:
                async with await _connected(home) as broker:
                    pids = await _ready(broker)
                    yield cls(home, broker, pids, Telemetry("bench"))
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                await process.wait()

    async def cli(self, *words: str) -> None:
        """Run a `postroad` command that must succeed."""
        result = await postroad(*words, "--config", str(self.home / "postroad.toml"))
        assert result.code == 0, result.err or result.out

    async def make_list(self, address: str, members: int, *settings: str) -> float:
        """Create a list with so many members; the seconds `postroad member import` took."""
        await self.cli("list", "create", address, "default_nonmember_action=accept", *settings)
        people = self.home / "people.csv"
        name = address.partition("@")[0]
        rows = (f"{name}{n}@d{n % 100}.example.net" for n in range(members))
        people.write_text("email\n" + "\n".join(rows) + "\n")
        began = asyncio.get_running_loop().time()
        await self.cli("member", "import", address, str(people))
        return asyncio.get_running_loop().time() - began

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
        last = await self.broker.last("DELIVERY", "delivery.>")
        return Accounts(self.broker, last.seq if last else 0)


class Accounts:
    """What the ledger says from one moment on: copies accepted, and when the last entry was
    stored. An entry is written after the relay's reply, so no copy is later than that."""

    def __init__(self, broker: Broker, seq: int) -> None:
        self.broker = broker
        self.seq = seq
        self.accepted = 0
        self.failed = 0
        self.end: datetime | None = None

    async def reach(self, copies: int, patience: float = 120.0) -> float:
        """Wait until exactly so many copies were accepted; when that was (Unix time)."""
        deadline = asyncio.get_running_loop().time() + patience
        while self.accepted + self.failed < copies:
            await asyncio.sleep(POLL)
            await self._read()
            told = f"{self.accepted} accepted, {self.failed} failed of {copies}"
            assert asyncio.get_running_loop().time() < deadline, f"in {patience:g} s: {told}"
        assert (self.accepted, self.failed) == (copies, 0), "a copy failed, or went out twice"
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


def _settings(home: Path, relay: int, mailbox: Mailbox) -> Path:
    password = home / "password"
    password.write_text(mailbox.password + "\n")
    password.chmod(0o600)
    source = imap_source(mailbox.port or free_port(), mailbox.user, password)
    config = home / "postroad.toml"
    config.write_text(
        '[site]\ndomain = "example.org"\n' + source.replace('poll = "2s"\n', "") + smtp_relay(relay)
    )
    return config


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
        for report in await rollcall(broker, (*ROAD, "supervisor")):
            if report.ready:
                pids[report.service] = report.pid
            pids.update(
                (fact.kind, fact.facts["pid"]) for fact in report.facts if fact.kind == "broker"
            )
        return {*ROAD, "supervisor", "broker"} <= set(pids)

    await until(all_ready, "every service is ready")
    return pids
