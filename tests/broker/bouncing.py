"""Membership that counts bounces, while the test stands for router, fan-out and sender."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from postroad.runtime.blobs import put_raw
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, new_id
from postroad.runtime.errors import Conflict
from postroad.runtime.health import Health
from schemas import codec, subjects
from schemas.envelope import Event
from schemas.road import (
    BounceRouted,
    ChunkQueued,
    Copy,
    Failure,
    Outcome,
    PostRouted,
    WindowRecorded,
)
from services.membership.bounces.desk import BounceDesk
from services.membership.bounces.letters import BounceLetters
from services.membership.bounces.warnings import Warnings
from services.membership.feed import Feed, open_store
from services.membership.letters.posting import Letterbox
from services.membership.owners import Owners
from services.membership.people import People
from services.membership.received import Received
from services.membership.roster import Roster
from tests.broker.membership import LIST, SLUG, Membership, membership, raw, settings
from tests.peers.process import until

BEGAN = datetime(2026, 3, 2, 8, tzinfo=UTC)
OWNER, ANN, BOB = "olga@owners.example", "ann@one.example", "bob@two.example"
GONE = Failure(index=0, code=550, enhanced="5.1.1", text="no such user", kind="failed")
REPORT = (
    "From: mailer-daemon@mx.example\r\nAuto-Submitted: auto-replied\r\n"
    'Content-Type: multipart/report; boundary="b"\r\n\r\n--b\r\n'
)
FAILED = (
    f"{REPORT}Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example"
    "\r\n\r\nFinal-Recipient: rfc822; {address}\r\nAction: failed\r\nStatus: 5.1.1\r\n--b--\r\n"
)
DELAYED = FAILED.replace("failed", "delayed").replace("5.1.1", "4.2.2")
COMPLAINT = (
    f"{REPORT}Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n"
    "Version: 1\r\nUser-Agent: fbl\r\n--b--\r\n"
)


@dataclass
class Post:
    """A running membership service; the test stands for router, fan-out and sender."""

    service: Membership
    broker: Broker
    feed: Feed
    desk: BounceDesk
    warnings: Warnings
    health: Health
    parts: tuple[Broker, Roster, People, Received, BounceLetters]

    async def store(
        self, subject: str, event: Event, mail_id: str, at: datetime | None = None
    ) -> int:
        """Store an event, as of this time; its sequence."""
        message = envelope([event], correlation=mail_id, actor="test")
        message = replace(message, ts=at or message.ts)
        return await self.broker.publish(subject, codec.encode(message))

    async def post(self, *chunks: Sequence[str], personal: bool = True) -> str:
        """A post to these addresses; its id."""
        mail_id, first = new_id(), 0
        copy = Copy(
            raw=raw(mail_id),
            list=SLUG,
            list_address=LIST,
            bounces=("team-bounces+", "@lists.example.org"),
            personal=personal,
            post=7,
        )
        routed = PostRouted(mail_id=mail_id, list=SLUG, raw=raw(mail_id), subject="Minutes")
        await self.store(subjects.routed("done", SLUG, mail_id), routed, mail_id)
        for number, addresses in enumerate(chunks):
            chunk = ChunkQueued(
                mail_id=mail_id,
                list=SLUG,
                chunk=str(number),
                first=first,
                people=tuple([await self.person(address) for address in addresses]),
                addresses=tuple(addresses),
                copy=copy,
            )
            first += len(addresses)
            await self.store(subjects.send("bulk", SLUG, mail_id, str(number)), chunk, mail_id)
        return mail_id

    async def refused(self, mail_id: str, address: str, failure: Failure = GONE) -> None:
        """The server took no copy for this address."""
        entry = WindowRecorded(
            mail_id=mail_id,
            list=SLUG,
            chunk=new_id(),
            people=(await self.person(address),),
            outcome=Outcome(start=0, end=1, failures=(failure,)),
            finished=True,
        )
        await self.store(subjects.delivery(SLUG, mail_id, entry.chunk), entry, mail_id)

    async def report(
        self,
        about: str,
        address: str,
        number: int = -1,
        *,
        report: str = FAILED,
        at: datetime | None = None,
    ) -> str:
        """A report comes in, and is dealt with."""
        mail_id = new_id()
        data = report.format(address=address).encode()
        bounce = BounceRouted(
            mail_id=mail_id,
            list=SLUG,
            raw=await put_raw(self.broker, mail_id, 0, data, 100),
            about=about,
            number=number,
        )
        seq = await self.store(subjects.routed("bounce", SLUG, mail_id), bounce, mail_id, at)

        async def dealt_with() -> bool:
            info = await self.broker.api("CONSUMER.INFO.ROUTED.bounces")
            return bool(info["ack_floor"]["stream_seq"] >= seq)

        await until(dealt_with, 30)
        return mail_id

    async def look(self, days: float = 0) -> None:
        """The ledger, and who is stopped, are looked at so many days after the beginning."""
        with contextlib.suppress(Conflict):  # another instance does it, the service itself
            await self.desk.look(BEGAN + timedelta(days=days))
        await self.feed.catch_up()
        await self.warnings.look(BEGAN + timedelta(days=days))
        await self.feed.catch_up()

    async def person(self, address: str) -> str:
        """The id of a member."""
        return (await self.service.whois(address)).person

    async def life(self, address: str) -> list[Event]:
        """Everything that is stored of a member behind their joining."""
        subject = subjects.membership(SLUG, await self.person(address))
        stored = [one async for one in self.broker.scan("MEMBERSHIP", subject)]
        return [event for one in stored[1:] for event in one.envelope().events]

    async def letters(self) -> list[str]:
        """To whom letters went, in order."""
        return [
            event.addresses[0]
            async for stored in self.broker.scan("SEND", "mail.send.now.>")
            for event in stored.envelope().events
            if isinstance(event, ChunkQueued) and event.copy.notice
        ]


@contextlib.asynccontextmanager
async def counting(broker: Broker, tmp_path: Path) -> AsyncIterator[Post]:
    """A list with an owner and two members; the ledger is read as far as it goes."""
    config = settings(tmp_path)
    async with membership(broker, config) as service:
        await service.create(bounce_score_threshold="2")
        await service.add(ANN, BOB)
        await service.add(OWNER, role="owner")
        store = await open_store(broker, tmp_path)
        feed = Feed(broker, store, Health("test"))
        following = asyncio.create_task(feed.run())
        roster, people = Roster(feed), People(broker, config.site_key())
        letters = BounceLetters(broker, Letterbox(broker), Owners(config, roster, people))
        health = Health("test")
        parts = broker, roster, people, Received(broker, config), letters
        warnings = Warnings(broker, roster, letters)
        found = Post(service, broker, feed, BounceDesk(*parts, health), warnings, health, parts)
        await feed.catch_up()
        await found.look()
        yield found
        following.cancel()
        await store.close()


def names(events: Sequence[Event]) -> list[str]:
    """The types of these events."""
    return [type(event).__name__ for event in events]
