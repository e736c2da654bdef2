"""Ingest between a mailbox and a real broker, in this process or as one that can be killed.

async with ingesting(tmp_path, start="all") as ingest:  # a real Dovecot
    ingest.dovecot.deliver(USER, message)
    await ingest.once()
    assert await ingest.texts() == [message]

async with scripted(tmp_path, [message], start="all") as ingest:  # a server that misbehaves
    ingest.imap.faults.append(Fault(at="FETCH", reply="NO [THROTTLED]", times=1))
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from postroad.runtime.alarms import watch as alarms
from postroad.runtime.blobs import get_raw
from postroad.runtime.broker import Broker
from postroad.runtime.config import Alarm, Config, Source
from postroad.runtime.health import Fact
from postroad.runtime.service import Context, running
from schemas.road import MailReceived, MailRefused
from schemas.spans import Span, SpanBatch
from services.ingest.imap import Mailbox
from services.ingest.service import SERVICE
from tests.e2e.system import System, until
from tests.peers.dovecot import Dovecot, Mail, require_pop3
from tests.peers.imapscript import ScriptedImap

USER = "lists@example.org"


def mail(number: int | str, body: bytes = b"Hello.\r\n") -> bytes:
    """A mail whose Message-ID is `<number@posts>`."""
    head = f"From: anna@example.net\r\nTo: team@example.org\r\nMessage-ID: <{number}@posts>\r\n\r\n"
    return head.encode() + body


@dataclass
class Reading:
    """A broker, and ingest before it."""

    road: System

    def config(self, **changes: object) -> Config:
        """The settings, with changes to the only source."""
        config = Config.load(self.road.config, {})
        source = msgspec.structs.replace(config.source[0], **changes)
        return msgspec.structs.replace(config, source=(source,))

    def mailbox(self, **changes: object) -> Mailbox:
        """A connection of its own to the folder."""
        return Mailbox(self.config(**changes).source[0])

    async def once(self, *others: Source, **changes: object) -> Context:
        """Drain the source (and others), as `run ingest --once` does."""
        config = self.config(**changes)
        config = msgspec.structs.replace(config, source=(*config.source, *others))
        async with running("ingest", config, self.road.broker) as context:
            context.once = True
            await SERVICE.run(context)
            return context

    @contextlib.asynccontextmanager
    async def running(self, **changes: object) -> AsyncIterator[Context]:
        """Ingest at work in this process for the length of the block."""
        async with _at_work(self.config(**changes), self.road.broker) as context:
            yield context

    async def killed_at(self, crashpoint: str) -> None:
        """Run ingest as a process until it dies at this point (`name:n`)."""
        await self.road.run("ingest", crashpoint=crashpoint)
        await self.road.died("ingest")

    async def events(self) -> list[MailReceived | MailRefused]:
        """Everything in RECEIVED, by UID."""
        found = [
            event
            async for stored in self.road.broker.scan("RECEIVED", "mail.received.>")
            for event in stored.envelope().events
            if isinstance(event, MailReceived | MailRefused)
        ]
        return sorted(found, key=lambda event: (event.origin.uidvalidity, event.origin.uid))

    async def received(self) -> list[MailReceived]:
        """The mails in RECEIVED."""
        return [event for event in await self.events() if isinstance(event, MailReceived)]

    async def refused(self) -> list[tuple[int, str]]:
        """UID and reason of every refusal."""
        events = await self.events()
        return [(e.origin.uid, e.reason) for e in events if isinstance(e, MailRefused)]

    async def texts(self) -> list[bytes]:
        """The bytes of the mails in RECEIVED, from RAW."""
        return [await get_raw(self.road.broker, event.raw) for event in await self.received()]

    async def took(self, number: int) -> None:
        """Wait until this many mails are in RECEIVED."""

        async def there() -> bool:
            return len(await self.received()) >= number

        await until(there, f"{number} mails were received")


async def taken_as(road: System, mail_id: str) -> dict[str, object]:
    """What a mail's trace says of where it was taken: the attributes of its first span, the one
    without parent, which begins as the fetching of its bytes does and holds that."""
    spans: dict[str, Span] = {}

    async def both_are_kept() -> bool:
        batches = [each.data async for each in road.broker.scan("SPANS", "spans.>")]
        told = [
            span for each in batches for span in msgspec.json.decode(each, type=SpanBatch).spans
        ]
        spans.update((span.name, span) for span in told if span.trace == mail_id)
        return {"ingest.receive", "ingest.fetch"} <= spans.keys()

    await until(both_are_kept, "the trace of the mail has its first spans")
    first, fetch = spans["ingest.receive"], spans["ingest.fetch"]
    assert (first.parent, fetch.parent) == ("", first.span)
    assert first.start == fetch.start <= fetch.end <= first.end
    return {**first.attributes}


@dataclass
class Ingest(Reading):
    """Ingest between a Dovecot and a broker."""

    dovecot: Dovecot

    async def mails(self, folder: str = "INBOX") -> list[Mail]:
        """What is in the folder now."""
        return await asyncio.to_thread(self.dovecot.mails, USER, folder)

    async def seen(self) -> list[bool]:
        """Whether each mail of the folder is flagged as read."""
        return ["\\Seen" in mail.flags for mail in await self.mails()]


@dataclass
class Scripted(Reading):
    """Ingest between a scripted server and a broker."""

    imap: ScriptedImap

    @property
    def unread(self) -> list[int]:
        """The UIDs of the INBOX that are not flagged as read."""
        return [mail.uid for mail in self.imap.inbox.mails if "\\Seen" not in mail.flags]

    async def all_read(self) -> None:
        """Wait until no mail of the INBOX is unread."""

        async def none() -> bool:
            return not self.unread

        await until(none, "all mails are flagged as read")

    async def idles(self) -> None:
        """Wait until ingest waits for mail."""

        async def waiting() -> bool:
            return bool(self.imap.idle)

        await until(waiting, "ingest is in IDLE")


@contextlib.asynccontextmanager
async def ingesting(home: Path, **settings: str) -> AsyncIterator[Ingest]:
    """A fresh Dovecot and broker; `settings` are those of the source (kind "imap", or "pop3")."""
    async with Dovecot.start({USER: "secret"}) as dovecot:
        port = require_pop3(dovecot) if settings.get("kind") == "pop3" else dovecot.port
        async with a_road(home, port, settings) as road:
            yield Ingest(road, dovecot)


@contextlib.asynccontextmanager
async def scripted(
    home: Path, messages: Iterable[bytes] = (), **settings: str
) -> AsyncIterator[Scripted]:
    """A scripted server with `messages` and a broker; `settings` are those of the source."""
    async with (
        ScriptedImap.start({USER: "secret"}, messages) as imap,
        a_road(home, imap.port, settings) as road,
    ):
        yield Scripted(road, imap)


@contextlib.asynccontextmanager
async def a_road(home: Path, port: int, settings: Mapping[str, str]) -> AsyncIterator[System]:
    """A broker, and settings with one source at this port."""
    password = home / "password"
    password.write_text("secret\n")
    password.chmod(0o600)
    lines = {"name": "box", "host": "127.0.0.1", "tls": "none", "user": USER, **settings}
    lines["password_file"] = str(password)
    source = "".join(f'{key} = "{value}"\n' for key, value in lines.items())
    (home / "site").mkdir()
    whole = f"[[source]]\nport = {port}\n{source}"
    async with System.start(home / "site", whole, services=()) as road:
        yield road


@contextlib.asynccontextmanager
async def _at_work(config: Config, broker: Broker) -> AsyncIterator[Context]:
    async with running("ingest", config, broker) as context:
        task = asyncio.ensure_future(SERVICE.run(context))

        async def ready() -> bool:
            return context.health.ready

        try:
            await until(ready, "ingest is ready")
            yield context
        finally:
            context.stopping.set()
            await asyncio.wait_for(task, 30)


def fact(context: Context) -> Fact:
    """What the service reports of its source."""
    (found,) = context.health.answer().facts
    return found


async def report(context: Context, detail: str, *, ok: bool = False) -> None:
    """Wait until the source reports this."""

    async def reported() -> bool:
        return fact(context).ok is ok and detail in fact(context).detail

    await until(reported, f"the source reports {detail!r}")


class Watch:
    """Who is told by [alarm]: a command that writes down what it is told."""

    def __init__(self, home: Path) -> None:
        self.file = home / "told"
        self.file.touch()
        script = home / "tell"
        script.write_text(f'#!/bin/sh\ncat >> "{self.file}"\n')
        script.chmod(0o755)
        self.alarm = Alarm(command=str(script))

    @contextlib.asynccontextmanager
    async def running(self, ingest: Reading, **changes: object) -> AsyncIterator[Context]:
        """Ingest at work with this [alarm]."""
        config = msgspec.structs.replace(ingest.config(**changes), alarm=self.alarm)
        watch = alarms.Watch(config, ingest.road.broker)
        async with watch.hearing(), _at_work(config, ingest.road.broker) as context:
            yield context

    @property
    def told(self) -> list[str]:
        """The lines so far."""
        return self.file.read_text().splitlines()

    async def hears(self, text: str) -> None:
        """Wait until a line holds this text."""

        async def heard() -> bool:
            return any(text in line for line in self.told)

        await until(heard, f"somebody is told {text!r}")


@contextlib.asynccontextmanager
async def proxy(port: int, cut: Callable[[bytes], bool]) -> AsyncIterator[int]:
    """A port in front of `port`. Once `cut` is true of what the server says, the client gets the
    first half of that, and the connection is gone."""

    async def upstream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            answers, requests = await asyncio.open_connection("127.0.0.1", port)
            there = asyncio.create_task(upstream(reader, requests))
            while data := await answers.read(65536):
                if cut(data):
                    writer.write(data[: len(data) // 2])
                    await writer.drain()
                    break
                writer.write(data)
            there.cancel()
            requests.close()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
