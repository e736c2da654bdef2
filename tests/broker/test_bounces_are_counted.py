"""Bounces and refusals are counted against whom they are about, and against nobody else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from postroad.mail.tokens import TokenMaker
from postroad.runtime.blobs import put_raw
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, new_id, now
from postroad.runtime.errors import Conflict
from postroad.runtime.health import Health
from schemas import codec, subjects
from schemas.commands import ConfigureList, MemberBounces
from schemas.envelope import Event
from schemas.membership import (
    MemberBounced,
    MemberChanged,
    MemberProbed,
    MemberUnsubscribed,
    MemberWarned,
)
from schemas.pending import RemovalDue
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
from services.router.bounces import Bounces
from services.router.bounces import Copy as RouterCopy
from tests.broker.membership import LIST, SLUG, Membership, membership, raw, settings

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
        async with asyncio.timeout(30):
            while True:
                info = await self.broker.api("CONSUMER.INFO.ROUTED.bounces")
                if info["ack_floor"]["stream_seq"] >= seq:
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


@pytest.fixture
async def road(broker: Broker, tmp_path: Path) -> AsyncIterator[Post]:
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
    return [type(event).__name__ for event in events]


async def test_a_numbered_copy_is_its_members_in_whichever_chunk(road: Post) -> None:
    """The number that a token proves finds the member; what the report names besides does not
    matter, and the same report again counts nothing."""
    post = await road.post([ANN], [BOB])
    report = await road.report(post, "forwarded@elsewhere.example", number=1)
    assert await road.life(ANN) == []
    (counted,) = await road.life(BOB)
    assert isinstance(counted, MemberBounced)
    assert (counted.kind, counted.points, counted.score) == ("hard", 1, 1)
    assert (counted.post, counted.report, counted.status) == (post, report, "5.1.1")
    assert counted.server == "mx.example"
    await road.report(post, BOB, number=1)
    await road.report(post, BOB, number=2)
    assert await road.life(BOB) == [counted]
    for ask in (MemberBounces(list=LIST), MemberBounces(list=LIST, address=BOB)):
        (row,) = (await road.service.ask(ask)).bounces
        assert (row.address, row.kind, row.points, row.status) == (BOB, "hard", 1, "5.1.1")
        assert (row.score, row.delivery_status, row.post) == (1, "enabled", post)
        assert (row.subject, row.why) == ("Minutes", "the mailbox does not exist")


async def test_without_a_token_only_a_shared_copy_counts(road: Post) -> None:
    """Of a personal copy the token would be there: anybody can write a report without one."""
    await road.report(await road.post([ANN, BOB]), BOB)
    assert await road.life(BOB) == []
    await road.report(await road.post([ANN, BOB], personal=False), BOB)
    assert names(await road.life(BOB)) == ["MemberBounced"]
    assert await road.life(ANN) == []


async def test_a_member_who_forges_reports_stops_nobody(road: Post) -> None:
    """Who knows a post may name another member in a report: of shared copies it counts, and at
    the threshold a letter goes out instead; complaints and reports on that letter do nothing."""
    for day in (2, 1):
        post = await road.post([ANN, BOB], personal=False)
        await road.report(post, BOB, at=now() - timedelta(days=day))
    probe = (await road.life(BOB))[-1]
    assert isinstance(probe, MemberProbed)
    assert await road.letters() == [BOB]
    await road.report(probe.mail_id, BOB)
    complaint = COMPLAINT.replace("Version", "Original-Rcpt-To: {address}\r\nVersion")
    await road.report(await road.post([ANN, BOB], personal=False), BOB, report=complaint)
    assert "MemberChanged" not in names(await road.life(BOB))


async def test_refusals_stop_warn_and_remove_in_time(road: Post) -> None:
    """What servers refuse at once counts by day; who is stopped is warned three times and removed,
    the owner hears of both, and each letter is written once."""
    await road.refused(await road.post([ANN, BOB]), ANN)
    relay = Failure(index=0, code=550, text="not for us", kind="failed", scope="relay")
    await road.refused(await road.post([ANN, BOB]), BOB, relay)
    await road.look(0)
    await road.refused(await road.post([ANN, BOB]), ANN)
    await road.look(1)
    assert names(await road.life(ANN)) == [
        *("MemberBounced", "MemberBounced", "MemberChanged", "MemberWarned")
    ]
    assert await road.letters() == [ANN, OWNER]
    for day in (2, 8, 8, 15, 16):
        await road.look(day)
    assert [e.number for e in await road.life(ANN) if isinstance(e, MemberWarned)] == [1, 2, 3]
    await road.look(22)
    assert names(await road.life(ANN))[-1] == "MemberUnsubscribed"
    assert await road.letters() == [ANN, OWNER, ANN, ANN, OWNER]
    assert await road.life(BOB) == []


async def test_a_provider_that_fails_stops_nobody(road: Post) -> None:
    """Twelve of its people fail, day after day: each has a point, none is stopped, and the owner
    has a letter a day at most."""
    people = [f"member{number:02}@big.example" for number in range(12)]
    await road.service.add(*people)
    await road.feed.catch_up()
    for day in range(4):
        post = await road.post(people)
        for address in people:
            await road.refused(post, address)
        await road.look(day)
    lives = [await road.life(address) for address in people]
    assert all("MemberChanged" not in names(life) for life in lives)
    for life in lives:
        assert sum(event.points for event in life if isinstance(event, MemberBounced)) == 1
    assert await road.letters() == [OWNER] * 4
    (shown,) = road.health.answer().facts
    assert (shown.kind, shown.ok) == ("incident", False)
    assert shown.name == f"big.example, {LIST}"
    other = BounceDesk(*road.parts, again := Health("again"))  # an instance that begins now
    await other.look(BEGAN + timedelta(days=3.5))
    assert [fact.name for fact in again.answer().facts] == [shown.name]
    await road.look(6)
    assert [fact.ok for fact in road.health.answer().facts] == [True]


async def test_whom_a_low_threshold_stopped_gets_mail_again(road: Post) -> None:
    """At one point nine are stopped before the tenth tells that it is their provider."""
    await road.service.ask(ConfigureList(list=LIST, settings={"bounce_score_threshold": "1"}))
    people = [f"member{number:02}@big.example" for number in range(11)]
    await road.service.add(*people)
    await road.feed.catch_up()
    post = await road.post(people)
    for address in people:
        await road.refused(post, address)
    await road.look(0)
    for address in people:
        life = [e for e in await road.life(address) if isinstance(e, MemberChanged)]
        assert [e.delivery_status for e in life[-1:]] in ([], ["enabled"])
    assert (await road.letters()).count(people[0]) == 1


async def test_who_complains_hears_nothing_more(road: Post) -> None:
    """A feedback report about their copy stops delivery at once; the owner is told, they are not,
    now or later."""
    post = await road.post([ANN], [BOB])
    await road.report(post, BOB, number=1, report=COMPLAINT)
    assert names(await road.life(BOB)) == ["MemberBounced", "MemberChanged"]
    (row,) = (await road.service.ask(MemberBounces(list=LIST))).bounces
    assert (row.address, row.delivery_status) == (BOB, "by_user")
    assert await road.letters() == [OWNER]
    for day in (1, 30, 60):
        await road.look(day)
    assert names(await road.life(BOB)) == ["MemberBounced", "MemberChanged"]
    assert await road.letters() == [OWNER]


async def test_two_instances_count_once_and_write_once(road: Post) -> None:
    """Whoever is second finds the decision, and the letters."""
    for day in (0, 1):
        await road.refused(await road.post([ANN, BOB]), ANN)
        await asyncio.gather(road.look(day), road.look(day))
    assert names(await road.life(ANN)).count("MemberBounced") == 2
    await asyncio.gather(*(road.look(8) for _ in range(3)))
    assert [e.number for e in await road.life(ANN) if isinstance(e, MemberWarned)] == [1, 2]
    assert sorted(await road.letters()) == [ANN, ANN, OWNER]


async def test_a_letter_whose_writer_died_is_written(road: Post) -> None:
    """The decision is stored, its letters are not: the next look writes them, once."""
    post = await road.post([ANN, BOB])
    at = BEGAN + timedelta(days=1)
    stopped = (
        MemberBounced(kind="hard", at=at, points=1, score=2, post=post, status="5.1.1"),
        MemberChanged(delivery_status="by_bounces", how="bounces"),
        MemberWarned(number=1, at=at),
    )
    subject = subjects.membership(SLUG, await road.person(ANN))
    message = envelope(stopped, correlation=post, actor="test")
    await road.broker.publish(subject, codec.encode(message))
    await road.feed.catch_up()
    assert await road.letters() == []
    for _ in range(2):
        await road.look(1)
    assert await road.letters() == [ANN, OWNER]


async def test_a_probe_has_a_token_of_its_own_and_stops_delivery_only_if_it_comes_back(
    road: Post,
) -> None:
    """At the threshold a letter goes out that can bounce; another bounce of a post stops nothing,
    one of the letter does, by mail or by a refusal, and owners hear of that."""
    await road.service.ask(ConfigureList(list=LIST, settings={"verp_probes": "true"}))
    await road.feed.catch_up()
    today = (now() - BEGAN).days
    for day in (today - 2, today - 1):
        for address in (ANN, BOB):
            await road.refused(await road.post([ANN, BOB]), address)
        await road.look(day)
    probes = {}
    for address in (ANN, BOB):
        probe = (await road.life(address))[-1]
        assert isinstance(probe, MemberProbed)
        probes[address] = probe.mail_id
    assert sorted(await road.letters()) == [ANN, BOB]
    key = await road.broker.last("ROUTED", subjects.routed("done", SLUG, probes[ANN]))
    queued = await road.broker.last("SEND", subjects.send("now", SLUG, probes[ANN], "0"))
    assert key is not None
    assert queued is not None
    (chunk,) = queued.envelope().events
    assert isinstance(chunk, ChunkQueued)
    assert (chunk.people, chunk.copy.post) == ((await road.person(ANN),), key.seq)
    assert chunk.copy.bounces == ("team-bounces+", "@lists.example.org")
    tokens = TokenMaker(bytes(32))
    token = tokens.verp_token(SLUG, key.seq, 0)  # as the sender makes it
    found = await Bounces(road.broker, lambda: tokens).at(SLUG, token, None)
    assert found == RouterCopy(SLUG, probes[ANN], 0)
    await road.report(await road.post([ANN], [BOB]), BOB, number=1)
    assert names(await road.life(BOB))[-1] == "MemberBounced"
    await road.report(probes[BOB], BOB)  # without its token it proves nothing
    assert names(await road.life(BOB))[-1] == "MemberBounced"
    await road.report(probes[BOB], BOB, number=0, report=DELAYED)
    assert names(await road.life(BOB))[-1] == "MemberBounced"
    await road.report(probes[BOB], BOB, number=0)
    assert names(await road.life(BOB))[-2:] == ["MemberChanged", "MemberWarned"]
    refused = WindowRecorded(
        mail_id=probes[ANN],
        list=SLUG,
        chunk="0",
        people=chunk.people,
        outcome=Outcome(start=0, end=1, failures=(GONE,)),
        finished=True,
    )
    await road.store(subjects.delivery(SLUG, probes[ANN], "0"), refused, probes[ANN])
    await road.look(today + 3)
    assert names(await road.life(ANN))[-2:] == ["MemberChanged", "MemberWarned"]


@pytest.mark.parametrize("removed", [False, True], ids=["claimed", "removed"])
async def test_who_is_removed_is_told_of_though_the_writer_died(road: Post, removed: bool) -> None:
    """A removal is claimed first: whoever looks next finds it, days later, and the letter goes
    out once."""
    post = await road.post([ANN, BOB])
    at = BEGAN + timedelta(days=9)
    stopped = (
        MemberBounced(kind="hard", at=BEGAN, points=1, score=2, post=post, status="5.1.1"),
        MemberChanged(delivery_status="by_bounces", how="bounces"),
        MemberWarned(number=3, at=BEGAN),
    )
    person = await road.person(ANN)
    subject, claim = subjects.membership(SLUG, person), subjects.removal(SLUG, person)
    await road.broker.publish(subject, codec.encode(envelope(stopped, correlation=post, actor="t")))
    due = envelope([RemovalDue(at=at)], correlation=claim, actor="test")
    await road.broker.publish(claim, codec.encode(due))
    if removed:
        gone = envelope([MemberUnsubscribed(how="bounces")], correlation=due.id, actor="test")
        await road.broker.publish(subject, codec.encode(gone))
    await road.feed.catch_up()
    for day in (12, 12, 30):
        await road.look(day)
    assert names(await road.life(ANN))[-1] == "MemberUnsubscribed"
    assert names(await road.life(ANN)).count("MemberUnsubscribed") == 1
    assert await road.letters() == [OWNER]


async def test_what_is_stale_when_it_is_looked_at_is_not_counted(road: Post) -> None:
    """Where counting begins, the bounces of a year lie in the stream."""
    await road.report(await road.post([ANN], [BOB]), BOB, number=1, at=now() - timedelta(days=8))
    assert await road.life(BOB) == []
