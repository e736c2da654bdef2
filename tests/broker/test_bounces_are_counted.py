"""Bounces and refusals are counted against whom they are about, and against nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from postroad.runtime.broker import Broker
from postroad.runtime.clock import now
from postroad.runtime.consume import Delivery
from postroad.runtime.health import Health
from postroad.runtime.telemetry import Telemetry
from schemas import subjects
from schemas.commands import ConfigureList, MemberBounces
from schemas.membership import (
    MemberBounced,
    MemberChanged,
    MemberProbed,
    MemberWarned,
)
from schemas.road import (
    Failure,
)
from services.membership.bounces.desk import BounceDesk
from tests.broker.bouncing import (
    ANN,
    BEGAN,
    BOB,
    COMPLAINT,
    OWNER,
    Post,
    counting,
    names,
)
from tests.broker.membership import LIST, SLUG


@pytest.fixture
async def road(broker: Broker, tmp_path: Path) -> AsyncIterator[Post]:
    """A list with an owner and two members; the ledger is read as far as it goes."""
    async with counting(broker, tmp_path) as found:
        yield found


async def routed(broker: Broker, report: str) -> Delivery:
    """This report, as its consumer has it after it was reset."""
    subject = subjects.routed("bounce", SLUG, report)
    stored = await broker.last("ROUTED", subject)
    assert stored is not None
    reply = f"$JS.ACK.ROUTED.bounces.1.{stored.seq}.1.0.0"
    return Delivery(Msg(Client(), subject=subject, reply=reply, data=stored.data), 0.0)


async def test_a_numbered_copy_is_its_members_in_whichever_chunk(road: Post) -> None:
    """The number that a token proves finds the member; what the report names besides does not
    matter, and the same report again counts nothing; its span says that it was done before."""
    post = await road.post([ANN], [BOB])
    report = await road.report(post, "forwarded@elsewhere.example", number=1)
    assert await road.life(ANN) == []
    (counted,) = await road.life(BOB)
    assert isinstance(counted, MemberBounced)
    assert (counted.kind, counted.points, counted.score) == ("hard", 1, 1)
    assert (counted.post, counted.report, counted.status) == (post, report, "5.1.1")
    assert counted.server == "mx.example"
    with Telemetry("test").root(report, "membership.bounce") as span:
        await road.desk.handle(await routed(road.broker, report))
    assert span.attributes["postroad.done_before"] is True
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
