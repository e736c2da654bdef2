"""What follows from bounces is carried out once, by whoever comes: letters, probes, removals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from postroad.mail.tokens import TokenMaker
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, now
from schemas import codec, subjects
from schemas.commands import ConfigureList
from schemas.membership import (
    MemberBounced,
    MemberChanged,
    MemberProbed,
    MemberUnsubscribed,
    MemberWarned,
)
from schemas.pending import RemovalDue
from schemas.road import (
    ChunkQueued,
    Outcome,
    WindowRecorded,
)
from services.router.bounces import Bounces
from services.router.bounces import Copy as RouterCopy
from tests.broker.bouncing import (
    ANN,
    BEGAN,
    BOB,
    DELAYED,
    GONE,
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


async def test_two_instances_count_once_and_write_once(road: Post) -> None:
    """Whoever is second finds the decision, and the letters."""
    for day in (0, 1):
        await road.refused(await road.post([ANN, BOB]), ANN)
        await asyncio.gather(road.look(day), road.look(day))
    assert names(await road.life(ANN)).count("MemberBounced") == 2
    await asyncio.gather(*(road.look(8) for _ in range(3)))
    assert [e.number for e in await road.life(ANN) if isinstance(e, MemberWarned)] == [1, 2]
    assert sorted(await road.letters()) == [ANN, ANN, OWNER]


def stopped(post: str, at: datetime, *, warning: int) -> bytes:
    """Delivery to a member is stopped, and they have been warned so often."""
    events = (
        MemberBounced(kind="hard", at=at, points=1, score=2, post=post, status="5.1.1"),
        MemberChanged(delivery_status="by_bounces", how="bounces"),
        MemberWarned(number=warning, at=at),
    )
    return codec.encode(envelope(events, correlation=post, actor="test"))


async def test_a_letter_whose_writer_died_is_written(road: Post) -> None:
    """The decision is stored, its letters are not: the next look writes them, once."""
    post = await road.post([ANN, BOB])
    at = BEGAN + timedelta(days=1)
    subject = subjects.membership(SLUG, await road.person(ANN))
    await road.broker.publish(subject, stopped(post, at, warning=1))
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
    person = await road.person(ANN)
    subject, claim = subjects.membership(SLUG, person), subjects.removal(SLUG, person)
    await road.broker.publish(subject, stopped(post, BEGAN, warning=3))
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
