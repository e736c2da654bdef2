"""Held mail as its tests see it: membership and router at work, and a stranger who writes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from postroad.mail.headers import scan
from postroad.mail.identity import body_digest
from postroad.mail.opening import opening
from postroad.runtime.blobs import put_raw
from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id
from postroad.runtime.config import Config
from postroad.runtime.health import Health
from schemas import subjects
from schemas.commands import Answer, DecideHeld
from schemas.envelope import Envelope
from schemas.road import CommandDone, MailReceived, Origin
from services.membership.feed import Feed, open_store
from services.membership.letters.posting import Letterbox
from services.membership.moderation.desk import HeldDesk
from services.membership.moderation.notices import HeldNotices
from services.membership.moderation.tokens import Tokens
from services.membership.moderation.verdicts import Verdicts
from services.membership.moderation.waiting import WaitingMail
from services.membership.owners import Owners
from services.membership.people import People
from services.membership.received import Received
from services.membership.requests.contacts import Contacts
from services.membership.roster import Roster
from tests.broker.membership import LIST, SLUG, Membership, membership
from tests.broker.requests import Letter, Post, mail_of, settings
from tests.broker.router_peers import store
from tests.peers.process import until

OFFICE = "office"  # the router's source
ZOE = "zoe@elsewhere.example"


@dataclass
class Moderated:
    """A list whose strangers wait."""

    service: Membership
    broker: Broker
    feed: Feed
    notices: HeldNotices

    @property
    def post(self) -> Post:
        """The way in and out for commands by mail."""
        return Post(self.broker)

    async def hold(self, **mail: str) -> str:
        """A mail comes in from a stranger, and is held; its id."""
        mail_id = await self.receive(**mail)
        held = subjects.routed("held", SLUG, mail_id)

        async def is_held() -> bool:
            return await self.broker.last("ROUTED", held) is not None

        await until(is_held)
        return mail_id

    async def receive(
        self,
        *,
        author: str = ZOE,
        subject: str = "Tea",
        body: str = "Anyone?\r\n",
        head: str = "",
        message_id: str = "",
    ) -> str:
        """A mail comes in, with these header lines besides; its id."""
        mail_id = new_id()
        data = (
            f"From: Zoe <{author}>\r\nTo: {LIST}\r\nSubject: {subject}\r\n"
            f"Message-ID: <{message_id or mail_id}@zoe>\r\n{head}\r\n{body}"
        ).encode()
        facts, body_at = scan(data)
        mail = MailReceived(
            mail_id=mail_id,
            origin=Origin(source=OFFICE),
            raw=await put_raw(self.broker, mail_id, 0, data, body_at),
            facts=facts,
            body_sha256=body_digest(data, body_at),
            opening=opening(data, facts.subject),
        )
        await store(self.broker, subjects.received(OFFICE, mail_id), mail, mail_id=mail_id)
        return mail_id

    async def decide(self, mail_id: str, verdict: str = "accept", **more: object) -> Answer:
        """What the command line is answered."""
        request = {"mail_id": mail_id, "verdict": verdict, "by": "eve", **more}
        return await self.service.ask(msgspec.convert(request, DecideHeld))

    async def letters(self, count: int, to: str = "") -> list[Letter]:
        """Every letter (to this address), once there are so many."""

        async def found() -> list[Letter]:
            return [each for each in await self.post.letters() if to in ("", each.to)]

        async def enough() -> bool:
            return len(await found()) >= count

        await until(enough)
        return await found()

    async def reply(self, token: str, text: str, **more: Any) -> CommandDone:
        """Somebody answers by this token; what came of it."""
        data = mail_of(text, author="eve@owners.example", **more)
        return await self.post.done(await self.post.write("confirm", data, token=token))

    async def look(self, at: datetime) -> None:
        """What is due at this time is done, by another instance than the one that runs."""
        await self.feed.catch_up()
        await self.notices.look(at)

    async def story(self, mail_id: str) -> list[tuple[str, Envelope]]:
        """Every decision on a mail: its kind, and the message."""
        found = self.broker.scan("ROUTED", subjects.decided(SLUG, mail_id))
        return [(stored.subject.split(".")[2], stored.envelope()) async for stored in found]


@asynccontextmanager
async def moderated(broker: Broker, home: Path, **typed: str) -> AsyncIterator[Moderated]:
    """A running membership, with a list whose strangers wait; no router yet."""
    config = settings(home)
    async with membership(broker, config) as service:
        await service.create(**typed)
        store = await open_store(broker, home)
        feed = Feed(broker, store, Health("test"))
        following = asyncio.create_task(feed.run())
        try:
            yield Moderated(service, broker, feed, notices(broker, feed, config))
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
            await store.close()


def notices(broker: Broker, feed: Feed, config: Config) -> HeldNotices:
    """What tells owners, as another instance of the service has it."""
    key = config.site_key()
    owners = Owners(config, Roster(feed), People(broker, key))
    contacts = Contacts(broker, People(broker, key))
    verdicts, waiting = Verdicts(broker, feed), WaitingMail(broker)
    desk = HeldDesk(broker, feed, Received(broker, config), verdicts, waiting, contacts)
    tokens = Tokens(broker, key)
    return HeldNotices(
        broker, owners, Letterbox(broker), waiting, desk, verdicts, tokens, feed.health
    )


def tokens(letter: Letter) -> list[str]:
    """The tokens by which the mails of a letter are decided on, in order."""
    return re.findall(r"team-confirm\+([a-z2-7]{26})@", letter.text)


def reply_token(letter: Letter) -> str:
    """The token that a plain Reply brings back."""
    return str(letter.mail["Reply-To"]).partition("+")[2].partition("@")[0]
