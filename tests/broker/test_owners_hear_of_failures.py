"""Owners are told whose copies finally failed: once, once a day at most, and what is still true."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from postroad.runtime.blobs import get_raw
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, new_id
from postroad.runtime.errors import Conflict
from postroad.runtime.health import Health
from schemas import codec, subjects
from schemas.commands import ConfigureList, Unsubscribe
from schemas.pending import FailuresTold
from schemas.road import ChunkQueued, Failure, Outcome, PostRouted, WindowRecorded
from services.membership.feed import Feed, open_store
from services.membership.letters.failed import FailureReports
from services.membership.letters.posting import Letterbox
from services.membership.owners import Owners
from services.membership.people import People
from services.membership.roster import Roster
from tests.broker.membership import LIST, SLUG, Membership, membership, raw, settings

BEGAN = datetime(2026, 3, 9, 8, 30, tzinfo=UTC)
FOR_GOOD = Failure(index=0, code=550, kind="failed")
OWNER, GONE, FULL = "olga@owners.example", "gina@one.example", "fred@two.example"


@dataclass
class Ledgers:
    """A running membership service, fed by the test in the place of router and sender."""

    service: Membership
    broker: Broker
    feed: Feed
    reports: FailureReports

    async def post(self, subject: str = "Minutes") -> str:
        """A post came; its id."""
        mail_id = new_id()
        post = PostRouted(mail_id=mail_id, list=SLUG, raw=raw(mail_id), subject=subject)
        message = envelope([post], correlation=mail_id, actor="test")
        await self.broker.publish(
            subjects.routed("post", SLUG, mail_id), codec.encode(message), expect=0
        )
        return mail_id

    async def outcome(self, mail_id: str, people: tuple[str, ...], *failures: Failure) -> None:
        """A chunk more of this post is done."""
        chunk = new_id()
        entry = WindowRecorded(
            mail_id=mail_id,
            list=SLUG,
            chunk=chunk,
            people=people,
            outcome=Outcome(start=0, end=len(people), failures=failures),
            finished=True,
        )
        message = envelope([entry], correlation=mail_id, actor="test")
        await self.broker.publish(subjects.delivery(SLUG, mail_id, chunk), codec.encode(message))

    async def look(self, days: float = 0) -> None:
        """It is looked whether owners are to be told, so many days after the beginning."""
        await self.feed.catch_up()
        await self.reports.look(BEGAN + timedelta(days=days))

    async def letters(self) -> list[EmailMessage]:
        """Every letter that was queued."""
        found: list[EmailMessage] = []
        async for stored in self.broker.scan("SEND", "mail.send.>"):
            (chunk,) = stored.envelope().events
            assert isinstance(chunk, ChunkQueued)
            if not chunk.copy.notice:
                continue
            assert chunk.copy.bounces == ("", "")
            mail = email.message_from_bytes(
                await get_raw(self.broker, chunk.copy.raw), policy=email.policy.default
            )
            assert isinstance(mail, EmailMessage)
            found.append(mail)
        return found

    async def person(self, address: str) -> str:
        """The id of a member."""
        return (await self.service.whois(address)).person


@pytest.fixture
async def ledgers(broker: Broker, tmp_path: Path) -> AsyncIterator[Ledgers]:
    """A list with an owner and two members; the owners were told of all there was before."""
    config = settings(tmp_path)
    async with membership(broker, config) as service:
        await service.create()
        await service.add(GONE, FULL)
        await service.add(OWNER, role="owner")
        store = await open_store(broker, tmp_path)
        feed = Feed(broker, store, Health("test"))
        following = asyncio.create_task(feed.run())
        roster = Roster(feed)
        owners = Owners(config, roster, People(broker, config.site_key()))
        found = Ledgers(
            service, broker, feed, FailureReports(broker, roster, owners, Letterbox(broker))
        )
        await found.look()
        yield found
        following.cancel()
        await store.close()


def text(mail: EmailMessage) -> str:
    """The plain words of a letter."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


async def test_owners_learn_who_failed_and_why(ledgers: Ledgers) -> None:
    """Addresses, reasons and mails; who was only deferred, got it later, or failed to get a letter
    of ours, is none of it. It asks all robots for silence."""
    gone, full = await ledgers.person(GONE), await ledgers.person(FULL)
    mail_id = await ledgers.post()
    unknown = Failure(index=0, code=550, enhanced="5.1.1", text="unknown", kind="failed")
    waits = Failure(index=1, code=452, enhanced="4.2.2", text="full", kind="deferred")
    await ledgers.outcome(mail_id, (gone, full), unknown, waits)
    notice = new_id()
    await ledgers.outcome(notice, ("",), unknown)
    later = await ledgers.post("Later")
    await ledgers.outcome(later, (full,), FOR_GOOD)
    await ledgers.outcome(later, (full,))
    await ledgers.look(days=1)
    (mail,) = await ledgers.letters()
    assert mail["To"] == OWNER
    assert mail["Auto-Submitted"] == "auto-generated"
    assert 'the mailbox does not exist ("550 5.1.1 unknown"):\n    - gina@one.example' in text(mail)
    assert f"{mail_id[:16]}: Minutes, 1 copy" in text(mail)
    assert FULL not in text(mail)
    assert "Later" not in text(mail)


async def test_they_are_told_once_a_day_at_most(ledgers: Ledgers) -> None:
    """What fails after a report waits for the next, a day later; then it alone is told."""
    gone, full = await ledgers.person(GONE), await ledgers.person(FULL)
    mail_id = await ledgers.post()
    await ledgers.outcome(mail_id, (gone,), FOR_GOOD)
    await ledgers.look(days=0.9)
    assert await ledgers.letters() == []
    await ledgers.look(days=1)
    await ledgers.outcome(mail_id, (full,), FOR_GOOD)
    await ledgers.look(days=1.9)
    (first,) = await ledgers.letters()
    assert GONE in text(first)
    await ledgers.look(days=2.5)
    _, second = await ledgers.letters()
    assert FULL in text(second)
    assert GONE not in text(second)
    await ledgers.look(days=4)
    assert len(await ledgers.letters()) == 2


async def test_a_claim_of_one_who_died_is_carried_out_once(ledgers: Ledgers) -> None:
    """Claimed and not done: it is told at the next look, however soon that is."""
    mail_id = await ledgers.post()
    await ledgers.outcome(mail_id, (await ledgers.person(GONE),), FOR_GOOD)
    last = await ledgers.broker.last("PENDING", subjects.failures_told())
    end = await ledgers.broker.last("DELIVERY", "delivery.>")
    assert last is not None
    assert end is not None
    claim = FailuresTold(after=0, upto=end.seq, at=BEGAN)
    message = codec.encode(envelope([claim], correlation="test", actor="test"))
    await ledgers.broker.publish(subjects.failures_told(), message, expect=last.seq)
    await ledgers.look(days=0.1)
    await ledgers.look(days=0.2)
    assert len(await ledgers.letters()) == 1


async def test_two_instances_tell_once(ledgers: Ledgers) -> None:
    """Of two who look at once, one has the claim."""
    mail_id = await ledgers.post()
    await ledgers.outcome(mail_id, (await ledgers.person(GONE),), FOR_GOOD)
    looks = await asyncio.gather(ledgers.look(days=1), ledgers.look(days=1), return_exceptions=True)
    assert all(each is None or isinstance(each, Conflict) for each in looks), looks
    assert len(await ledgers.letters()) == 1


async def test_who_has_left_is_no_trouble_any_more(ledgers: Ledgers) -> None:
    """Nobody is told of an address that is off the list."""
    gone = await ledgers.person(GONE)
    mail_id = await ledgers.post()
    await ledgers.outcome(mail_id, (gone,), FOR_GOOD)

    await ledgers.service.ask(Unsubscribe(list=LIST, address=GONE))
    await ledgers.look(days=1)
    assert await ledgers.letters() == []


async def test_a_list_may_want_no_such_letter(ledgers: Ledgers) -> None:
    """With bounce_notify_owner_on_bounce_increment=false nobody is told; what failed meanwhile is
    old news when it is on again."""
    off = {"bounce_notify_owner_on_bounce_increment": "false"}
    await ledgers.service.ask(ConfigureList(list=LIST, settings=off))
    mail_id = await ledgers.post()
    await ledgers.outcome(mail_id, (await ledgers.person(GONE),), FOR_GOOD)
    await ledgers.look(days=1)
    on = dict.fromkeys(off, "true")
    await ledgers.service.ask(ConfigureList(list=LIST, settings=on))
    await ledgers.look(days=2)
    assert await ledgers.letters() == []
