"""People who write to a list's command addresses, and what membership writes back."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

import msgspec

from postroad.mail.headers import scan
from postroad.runtime.blobs import put_raw
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, new_id
from postroad.runtime.config import Config, Source
from schemas import codec, subjects
from schemas.envelope import Event
from schemas.road import ChunkQueued, CommandDone, CommandRouted, MailReceived, Origin
from tests.broker import membership as service

ANNA = "anna@example.net"
SERVER = "mx.example.org"  # whose Authentication-Results are believed
PROVED = {"Authentication-Results": f"{SERVER}; dkim=pass header.d=example.net"}


def settings(state_dir: Path) -> Config:
    """Settings with a mailbox whose server says who wrote what."""
    source = Source(host="127.0.0.1", user="lists", name="box", authserv_id=SERVER)
    return msgspec.structs.replace(service.settings(state_dir), source=(source,))


@dataclass
class Letter:
    """A mail that membership queued."""

    to: str
    chunk: ChunkQueued
    data: bytes
    mail: EmailMessage = field(init=False)

    def __post_init__(self) -> None:
        self.mail = BytesParser(policy=default).parsebytes(self.data)

    @property
    def text(self) -> str:
        """What it says, in plain text."""
        body = self.mail.get_body(("plain",))
        assert body is not None
        return str(body.get_content()).replace("\r\n", "\n")

    @property
    def token(self) -> str:
        """The token in it; empty where there is none."""
        found = re.search(r"confirm ([a-z2-7]{26})\b", self.text)
        return found[1] if found else ""


def mail_of(body: str = "", *, author: str = ANNA, subject: str = "", **headers: str) -> bytes:
    """A mail as it lies in the mailbox; `headers` win, with _ for -, and "" leaves one out."""
    fields = {
        "From": f"Anna <{author}>",
        "Subject": subject,
        "Message-ID": f"<{new_id()}@example.net>",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"{head}\r\n{body}".encode()


@dataclass
class Post:
    """The way in and the way out of the broker, as router and sender have them."""

    broker: Broker
    slug: str = service.SLUG

    async def write(
        self,
        command: str,
        data: bytes | None = None,
        *,
        token: str = "",
        slug: str | None = None,
        envelope_from: str | None = None,
        mail_id: str = "",
    ) -> str:
        """Store a mail to a command address, as ingest and router would; its id. One that is
        stored already (`mail_id`) is routed to one more list."""
        data = mail_of() if data is None else data
        slug = self.slug if slug is None else slug
        mail_id = mail_id or new_id()
        facts, head = scan(data)
        raw = await put_raw(self.broker, mail_id, 0, data, head)
        where = subjects.received("box", mail_id)
        received = MailReceived(
            mail_id=mail_id,
            origin=Origin(source="box", arrived=datetime.now(UTC)),
            raw=raw,
            facts=facts,
            envelope_from=envelope_from,
        )
        if await self.broker.last("RECEIVED", where) is None:
            await self._store(where, received, mail_id)
        routed = CommandRouted(
            mail_id=mail_id, list=slug, command=command, token=token, raw=raw, received=where
        )
        await self._store(subjects.routed("command", slug, mail_id), routed, mail_id)
        return mail_id

    async def _store(self, subject: str, event: Event, mail_id: str) -> None:
        data = codec.encode(envelope([event], correlation=mail_id, actor="test"))
        await self.broker.publish(subject, data, expect=0)

    async def done(self, mail_id: str, slug: str | None = None) -> CommandDone:
        """Wait until a mail is dealt with."""
        subject = subjects.routed("done", slug or self.slug, mail_id)
        following = self.broker.follow("ROUTED", subject)
        assert isinstance(following, AsyncGenerator)
        async with aclosing(following):
            (stored,) = await anext(following)
        (event,) = stored.envelope().events
        assert isinstance(event, CommandDone)
        return event

    async def ask(
        self, command: str, data: bytes | None = None, *, token: str = "", **more: str
    ) -> tuple[CommandDone, list[Letter]]:
        """Write, wait until it is dealt with, and read what was written back."""
        mail_id = await self.write(command, data, token=token, **more)
        done = await self.done(mail_id, more.get("slug"))
        return done, await self.letters(mail_id)

    async def letters(self, cause: str = "") -> list[Letter]:
        """Every letter queued because of this mail or command; all, where none is named."""
        found = []
        async for stored in self.broker.scan("SEND", "mail.send.now.>"):
            message = stored.envelope()
            (chunk,) = message.events
            assert isinstance(chunk, ChunkQueued)
            if chunk.copy.notice and cause in ("", message.correlation):
                last = await self.broker.last("RAW", subjects.raw(chunk.copy.raw.mail_id, 0, 0))
                assert last is not None
                found.append(Letter(chunk.addresses[0], chunk, last.data))
        return found
