"""Postroad as an operator runs it, but each service is a process that a test can kill.

async with System.start(tmp_path, source=..., relays=...) as road:
    await road.make_list("team@example.org", ["anna@example.net"])
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from postroad.runtime.alarms.watch import Watch
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.embedded import EmbeddedBroker, embedded
from postroad.runtime.health import STATUS_SUBJECT, Report
from schemas import subjects
from schemas.commands import Answer, CreateList
from schemas.mass import ImportMembers, ImportRow
from tests.e2e.supervised import told_only
from tests.peers import forkserver
from tests.peers.dovecot import Dovecot
from tests.peers.forkserver import Process
from tests.peers.lent import anew, lent
from tests.peers.sink import Script, Sink

ROAD = ("membership", "router", "sender", "ingest")
COMMANDS = (  # what most commands import, some of it late
    "postroad.cli.app",
    "postroad.cli.road",
    "postroad.cli.memberrows",
    "postroad.runtime.service",
    "postroad.runtime.status",
    "services.membership.service",
    "typer._adapters",
    "tests.peers.commandtree",
    "tests.peers.settingsread",
)
PATIENCE = 60.0  # seconds that anything may take on a busy machine
_encode = msgspec.json.encode


async def until(
    holds: Callable[[], Awaitable[bool]], what: str, patience: float = PATIENCE
) -> None:
    """Ask again and again until it holds; fails saying `what` did not come true."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not await holds():
        waited = loop.time() - began
        assert waited < patience, f"not within {patience:g} s: {what}"
        await asyncio.sleep(pause(waited))


def pause(waited: float, *, least: float = 0.02, most: float = 0.25) -> float:
    """How many seconds to let pass before the next look, after so many in vain: a tenth of them.
    Each look costs the broker and the services more than what is waited for often does."""
    return min(most, max(least, waited / 10))


@dataclass
class Result:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output as JSON."""
        return json.loads(self.out)


@dataclass
class System:
    """A broker and the services of the road, on one settings file."""

    home: Path
    config: Path
    server: EmbeddedBroker
    broker: Broker
    processes: dict[str, Process] = field(default_factory=dict)

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls,
        home: Path,
        settings: str,
        *,
        services: Sequence[str] = ROAD,
        domain: str = "example.org",
        lend: bool = True,
    ) -> AsyncIterator[System]:
        """Run the road on `settings` (what follows [site] and [broker]) within the block; unless
        the broker may be lent, its files are in `home` and stay."""
        config = home / "postroad.toml"
        head = f'[site]\ndomain = "{domain}"\n[broker]\nack_wait = "3s"\n'
        config.write_text(head + settings)
        async with contextlib.AsyncExitStack() as stack:
            having = lent if lend else embedded
            server = await stack.enter_async_context(having(home / "state"))
            broker = await Broker.connect(server.reach.url, name="test")
            await stack.enter_async_context(broker)
            await anew(broker, ack_wait=3.0)
            system = cls(home, config, server, broker)
            await told_only(broker, services)
            if "[alarm]" in settings:  # who raises alarms where no monitor is asked for
                await stack.enter_async_context(Watch(Config.load(config, {}), broker).hearing())
            try:
                await asyncio.gather(*(system.run(name) for name in services))
                await system.ready(services)
                yield system
            finally:
                await system._stop_all()

    async def run(self, name: str, *, crashpoint: str = "", env: Mapping[str, str] = {}) -> None:
        """Start a service, to die at `crashpoint` ("name:n") if given."""
        environ = {
            **os.environ,
            **env,
            "POSTROAD_CRASHPOINT": crashpoint,
            "POSTROAD_LOG": "warning",
        }
        log = (self.home / f"{name}.log").open("ab")
        with log:
            self.processes[name] = await forkserver.start(
                *("postroad.cli.serve", name, "--config", str(self.config)),
                imported=[f"services.{name}.service", "tests.peers.settingsread"],
                env=environ,
                stdout=log.fileno(),
                stderr=log.fileno(),
            )

    async def kill(self, name: str) -> None:
        """Kill -9, and wait for the end."""
        process = self.processes[name]
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def stop(self, name: str) -> None:
        """Tell a service to stop, and wait until it has, in order."""
        process = self.processes[name]
        process.terminate()
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0, self.log(name)[-2000:]

    async def died(self, name: str) -> None:
        """Wait until a service has died at its crash point, by SIGKILL."""
        code = await asyncio.wait_for(self.processes[name].wait(), PATIENCE)
        assert code == -signal.SIGKILL, f"{name} ended with {code}: {self.log(name)[-2000:]}"

    async def kill_broker(self) -> None:
        """Kill -9 of the broker, and a new start on the same store."""
        assert self.server.process is not None
        self.server.process.kill()
        await self.server.process.wait()
        await self.server.start()

    def log(self, name: str) -> str:
        """What a service wrote to its log."""
        file = self.home / f"{name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    async def reports(self, patience: float = 0.5) -> dict[str, Report]:
        """What each running service says of its health within this time, the newest instance of
        each."""
        inbox = self.broker.nc.new_inbox()
        subscription = await self.broker.nc.subscribe(inbox)
        found: dict[str, Report] = {}
        await self.broker.nc.publish(STATUS_SUBJECT, b"", reply=inbox)
        alive = {name: p.pid for name, p in self.processes.items() if p.returncode is None}
        with contextlib.suppress(Exception):
            while len(found) < len(alive):
                message = await subscription.next_msg(timeout=patience)
                report = msgspec.json.decode(message.data, type=Report)
                if alive.get(report.service) == report.pid:
                    found[report.service] = report
        await subscription.unsubscribe()
        return found

    async def report(self, name: str) -> Report:
        """What a running service says of its health, once it answers."""
        found: dict[str, Report] = {}

        async def answers() -> bool:
            found.update(await self.reports())
            return name in found

        await until(answers, f"{name} answers")
        return found[name]

    async def ready(self, names: Sequence[str] = ROAD) -> None:
        """Wait until these services are at work."""
        patience = 0.05  # who starts hears no question; who is slow hears it, and is waited for

        async def all_ready() -> bool:
            nonlocal patience
            for name in names:
                code = self.processes[name].returncode
                assert code is None, f"{name} ended with {code}: {self.log(name)[-2000:]}"
            reports = await self.reports(patience)
            patience = min(0.5, patience * 1.5)
            return all(name in reports and reports[name].ready for name in names)

        await until(all_ready, f"{', '.join(names)} are ready")

    async def ask(self, command: str, request: object) -> Answer:
        """A membership command; fails where it is refused."""
        reply = await self.broker.request(subjects.command(command), _encode(request), timeout=30)
        answer = msgspec.json.decode(reply, type=Answer)
        assert not answer.refused, answer.refused
        return answer

    async def make_list(self, address: str, members: Sequence[str], **settings: str) -> None:
        """Create a list with these members; nonmembers may post, and in Bcc, unless `settings` say
        otherwise."""
        open_ = {"default_nonmember_action": "accept", "require_explicit_destination": "false"}
        chosen = {**open_, **settings}
        await self.ask("list_create", CreateList(address=address, settings=chosen))
        for start in range(0, len(members), 1000):
            rows = tuple(
                ImportRow(line=start + number, address=member)
                for number, member in enumerate(members[start : start + 1000], 1)
            )
            answer = await self.ask("import", ImportMembers(list=address, rows=rows))
            assert not answer.bad_rows, answer.bad_rows

    async def idle(self) -> bool:
        """Whether no consumer has anything left to do."""
        before = await self._stored()
        for each in reversed(subjects.DURABLES):  # one at work is enough, most often the last
            if not await self._done_with(each):
                return False
        return await self._stored() == before

    async def _done_with(self, durable: subjects.Durable) -> bool:
        """Whether a consumer has acknowledged the last message that it is to have. What waits for
        it (num_pending) is at times told as it was a moment ago, so that alone proves nothing."""
        info = await self.broker.api(f"CONSUMER.INFO.{durable.stream}.{durable.name}")
        if info["num_pending"] or info["num_ack_pending"]:
            return False
        for subject in durable.filters:
            last = await self.broker.last(durable.stream, subject)
            if last is not None and last.seq > info["ack_floor"]["stream_seq"]:
                return False
        return True

    async def retries(self) -> bool:
        """Whether copies wait for their next try."""
        info = await self.broker.api("STREAM.INFO.SEND", {"subjects_filter": "mail.retry.>"})
        return bool(info["state"].get("subjects"))

    async def done(self) -> bool:
        """Whether no consumer has anything left to do, and nothing waits for its next try."""
        before = await self._stored()
        return await self.idle() and not await self.retries() and await self._stored() == before

    async def _stored(self) -> list[int]:
        """How far the streams of the road are. Where that changes while we ask one after the
        other, something may have passed us by: out of one not asked yet into one asked before."""
        streams = sorted({durable.stream for durable in subjects.DURABLES})
        found = await asyncio.gather(*(self.broker.api(f"STREAM.INFO.{each}") for each in streams))
        return [info["state"]["last_seq"] for info in found]

    async def settled_again(self, stream: str, consumer: str) -> None:
        """Wait until a consumer that was reset has acknowledged the whole stream again."""

        async def done() -> bool:
            info = await self.broker.api(f"CONSUMER.INFO.{stream}.{consumer}")
            return not info["num_pending"] and not info["num_ack_pending"]

        await until(done, f"{consumer} is done again")

    async def settled(self, mails: int, patience: float = PATIENCE) -> None:
        """Wait until `mails` mails were received and everything about them is done."""

        async def done() -> bool:
            info = await self.broker.api("STREAM.INFO.RECEIVED")
            return info["state"]["messages"] >= mails and await self.idle()

        await until(done, f"{mails} mails went down the road", patience)

    async def cli(self, *words: str, env: Mapping[str, str] = {}) -> Result:
        """Run a `postroad` command on our settings."""
        return await postroad(*words, "--config", str(self.config), env=env)

    async def _stop_all(self) -> None:
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for process in self.processes.values():
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
                await process.wait()


async def postroad(
    *words: str, env: Mapping[str, str] = {}, cwd: Path | None = None, data: bytes = b""
) -> Result:
    """Run a `postroad` command to its end, with `data` as its standard input."""
    return await command(*words, env={**os.environ, **env}, cwd=cwd, data=data)


async def command(
    *words: str, env: Mapping[str, str], cwd: Path | None = None, data: bytes = b""
) -> Result:
    """As `postroad`, with nothing else in the environment."""
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        given.write(data)
        given.seek(0)
        process = await forkserver.start(
            *("postroad.cli", *words),
            imported=COMMANDS,
            env=env,
            cwd=cwd,
            stdin=given.fileno(),
            stdout=out.fileno(),
            stderr=err.fileno(),
        )
        code = await asyncio.wait_for(process.wait(), 120)
        out.seek(0)
        err.seek(0)
        return Result(code, out.read().decode(), err.read().decode())


def imap_source(port: int, user: str, password_file: Path, **extra: str) -> str:
    """A [[source]] on a plain loopback port."""
    more = "".join(f"{key} = {value}\n" for key, value in extra.items())
    return (
        f'[[source]]\nname = "box"\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'
        f'user = "{user}"\npassword_file = "{password_file}"\nstart = "all"\npoll = "2s"\n{more}'
    )


def smtp_relay(port: int, **extra: str) -> str:
    """A [[relay]] on a plain loopback port."""
    more = "".join(f"{key} = {value}\n" for key, value in extra.items())
    return f'[[relay]]\nname = "out"\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n{more}'


@dataclass
class World:
    """The road between a real Dovecot and our recording sink."""

    road: System
    dovecot: Dovecot
    sink: Sink

    def post(self, message: bytes) -> None:
        """Deliver a mail to the lists' mailbox."""
        self.dovecot.deliver(MAILBOX, message)

    async def waiting(self) -> int:
        """How many mails of the mailbox ingest has not flagged."""
        mails = await asyncio.to_thread(self.dovecot.mails, MAILBOX)
        return sum("\\Seen" not in mail.flags for mail in mails)


MAILBOX = "lists@example.org"


@contextlib.asynccontextmanager
async def world(
    home: Path,
    *,
    script: Script | None = None,
    keep: bool = False,
    services: Sequence[str] = ROAD,
    source: Mapping[str, str] = {},
    relay: Mapping[str, str] = {},
    telemetry: str = "",
) -> AsyncIterator[World]:
    """Dovecot in, the sink out, the road between them; `source` and `relay` are extra settings."""
    async with (
        Dovecot.start({MAILBOX: "secret"}) as dovecot,
        Sink.start(script, keep=keep) as sink,
    ):
        password = home / "password"
        password.write_text("secret\n")
        password.chmod(0o600)
        settings = imap_source(dovecot.port, MAILBOX, password, **source)
        settings += smtp_relay(sink.port, **relay)
        if telemetry:
            settings += f'[telemetry]\notlp_endpoint = "{telemetry}"\n'
        async with System.start(home, settings, services=services) as road:
            yield World(road, dovecot, sink)


def mail(
    number: int | str,
    to: str = "team@example.org",
    *,
    body: str = "",
    author: str = "anna@example.net",
) -> bytes:
    """A plain post with the Message-ID <number@posts>."""
    dots = "\r\n.this line begins with a dot\r\n" + "and so on.\r\n" * 20
    text = body or f"Dear all, {number}:{dots}"
    return (
        f"Return-Path: <{author}>\r\n"
        f"Received: from mx by mailbox; Fri, 20 Nov 2026 12:00:00 +0000\r\n"
        f"From: Anna <{author}>\r\nTo: {to}\r\nSubject: post {number}\r\n"
        f"Message-ID: <{number}@posts>\r\nDate: Fri, 20 Nov 2026 12:00:00 +0000\r\n"
        f"\r\n{text}"
    ).encode()
