"""Held mail as its tests see it: membership and router at work, and a stranger who writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from postroad.mail.headers import scan
from postroad.mail.identity import body_digest
from postroad.runtime.blobs import put_raw
from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id
from postroad.runtime.config import Config
from schemas import subjects
from schemas.commands import Answer, DecideHeld
from schemas.envelope import Envelope
from schemas.road import MailReceived, Origin
from tests.broker.membership import LIST, SLUG, Membership, membership
from tests.broker.requests import Post, settings
from tests.broker.router_peers import store
from tests.peers.process import until

OFFICE = "office"  # the router's source
ZOE = "zoe@elsewhere.example"


@dataclass
class Moderated:
    """A list whose strangers wait."""

    service: Membership
    broker: Broker
    config: Config

    @property
    def post(self) -> Post:
        """The way in and out for commands by mail."""
        return Post(self.broker)

    async def hold(
        self, *, author: str = ZOE, subject: str = "Tea", body: str = "Anyone?\r\n"
    ) -> str:
        """A mail comes in from a stranger, and is held; its id."""
        mail_id = new_id()
        data = (
            f"From: Zoe <{author}>\r\nTo: {LIST}\r\nSubject: {subject}\r\n"
            f"Message-ID: <{mail_id}@zoe>\r\n\r\n{body}"
        ).encode()
        facts, head = scan(data)
        mail = MailReceived(
            mail_id=mail_id,
            origin=Origin(source=OFFICE),
            raw=await put_raw(self.broker, mail_id, 0, data, head),
            facts=facts,
            body_sha256=body_digest(data, head),
        )
        await store(self.broker, subjects.received(OFFICE, mail_id), mail, mail_id=mail_id)
        held = subjects.routed("held", SLUG, mail_id)

        async def is_held() -> bool:
            return await self.broker.last("ROUTED", held) is not None

        await until(is_held)
        return mail_id

    async def decide(self, mail_id: str, verdict: str = "accept", **more: object) -> Answer:
        """What the command line is answered."""
        request = {"mail_id": mail_id, "verdict": verdict, "by": "eve", **more}
        return await self.service.ask(msgspec.convert(request, DecideHeld))

    async def story(self, mail_id: str) -> list[tuple[str, Envelope]]:
        """Every decision on a mail: its kind, and the message."""
        found = self.broker.scan("ROUTED", subjects.decided(SLUG, mail_id))
        return [(stored.subject.split(".")[2], stored.envelope()) async for stored in found]


@asynccontextmanager
async def moderated(broker: Broker, home: Path) -> AsyncIterator[Moderated]:
    """A running membership, with a list whose strangers wait; no router yet."""
    config = settings(home)
    async with membership(broker, config) as service:
        await service.create()
        yield Moderated(service, broker, config)
