"""Routed mail into chunks: everybody who was there and still is, once, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import groupby
from pathlib import Path

import msgspec
import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id
from postroad.runtime.config import Web
from projections import rosterqueries as tables
from schemas import subjects
from schemas.commands import ChangeMember, ConfigureList, Unsubscribe
from schemas.mail import HeaderEdit
from schemas.road import AsOf, OwnerMailRouted
from services.membership import roster
from tests.broker.membership import (
    LIST,
    SLUG,
    Membership,
    done,
    everybody,
    many,
    membership,
    post,
    queued,
    raw,
    route,
    settings,
)

TEN = [row.address for row in many(0, 10)]


@pytest.fixture
async def service(broker: Broker, tmp_path: Path) -> AsyncIterator[Membership]:
    """A running membership service with one list of ten members."""
    async with membership(broker, settings(tmp_path)) as running:
        await running.create()
        await running.import_(many(0, 10))
        yield running


async def test_a_small_post_is_one_chunk(service: Membership, broker: Broker) -> None:
    """A post that fits one chunk goes to the fast lane in one piece marked as the last, with
    everything the sender needs, and leaves no progress behind."""
    edit = HeaderEdit(op="set", name="List-Id", value="<team.lists.example.org>")
    routed = msgspec.structs.replace(post(await service.as_of()), edits=(edit,))
    seq = await route(broker, routed)
    fanned = await done(broker, routed.mail_id)
    assert (fanned.audience, fanned.chunks, fanned.as_of) == (10, 1, routed.as_of)
    ((lane, chunk),) = await queued(broker, routed.mail_id)
    assert (lane, chunk.chunk, chunk.last, chunk.first) == ("now", "0", True, 0)
    assert sorted(chunk.addresses) == sorted(TEN)
    domains = [address.partition("@")[2] for address in chunk.addresses]
    assert len([*groupby(domains)]) == len(set(domains))
    copy = chunk.copy
    assert (copy.raw, copy.edits, copy.personal, copy.post) == (routed.raw, (edit,), True, seq)
    assert copy.to_members
    assert (copy.list, copy.list_address, copy.unsubscribe_url) == (SLUG, LIST, "")
    assert copy.bounces == ("team-bounces+", "@lists.example.org")
    assert copy.leave == ("team-leave+", "@lists.example.org")
    assert await broker.last("SEND", subjects.fanout(SLUG, routed.mail_id)) is None


async def test_also_to_gets_one_copy(service: Membership, broker: Broker) -> None:
    """Addresses that the list names besides its members share one copy in a chunk of its own: none
    of them is a member, and the copy has nobody's token."""
    archives = ("all@archive.example", "other@lists.example")
    await service.ask(ConfigureList(list=LIST, settings={"also_to": ", ".join(archives)}))
    routed = post(await service.as_of())
    await route(broker, routed)
    fanned = await done(broker, routed.mail_id)
    assert (fanned.audience, fanned.chunks) == (12, 2)
    chunks = await queued(broker, routed.mail_id)
    (extra,) = [chunk for _, chunk in chunks if chunk.addresses == archives]
    assert not extra.copy.personal
    assert not extra.copy.to_members, "it goes out although none of them is a member"
    assert extra.first == 10
    assert len(set(extra.people)) == 2
    assert sorted(a for _, c in chunks if c is not extra for a in c.addresses) == sorted(TEN)
    for address in archives:
        assert not (await service.whois(address)).roles


async def test_a_large_post_is_many_chunks(service: Membership, broker: Broker) -> None:
    """A post that does not fit goes to the bulk lane: everybody once, numbered through, grouped
    by domain within a chunk, the last chunk marked; its progress says how far it came."""
    await service.import_(many(10, 1000))
    for personal, size in ((True, 128), (False, 500)):
        routed = post(await service.as_of(), personal=personal)
        await route(broker, routed)
        fanned = await done(broker, routed.mail_id)
        chunks = await queued(broker, routed.mail_id)
        assert (fanned.audience, fanned.chunks) == (1000, len(chunks))
        assert {lane for lane, _ in chunks} == {"bulk"}
        assert sorted(everybody(chunks)) == sorted(row.address for row in many(0, 1000))
        assert [chunk.first for _, chunk in chunks] == list(range(0, 1000, size))
        assert [chunk.last for _, chunk in chunks] == [False] * (len(chunks) - 1) + [True]
        progress = await broker.last("SEND", subjects.fanout(SLUG, routed.mail_id))
        assert progress is not None
        (event,) = progress.envelope().events
        assert (event.count, event.chunk) == (1000, len(chunks))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("small", "first"),
    [(2000, 5000), (5, 5000), (5, 3)],
    ids=["from memory", "from the file", "in slices"],
)
async def test_a_post_goes_to_who_was_there_and_still_is(
    service: Membership, broker: Broker, monkeypatch: pytest.MonkeyPatch, small: int, first: int
) -> None:
    """Who left since the post was routed gets nothing, nor who joined since, nor who is away; the
    author gets a copy like everybody else."""
    monkeypatch.setattr(roster, "SMALL", small)
    monkeypatch.setattr(tables, "FIRST", first)
    monkeypatch.setattr(tables, "SLICE", first + 1)
    as_of = await service.as_of()
    await service.ask(Unsubscribe(list=LIST, address=TEN[3]))
    await service.add("late@example.org")
    await service.ask(ChangeMember(list=LIST, address=TEN[4], delivery_status="by_user"))
    await service.ask(ChangeMember(list=LIST, address=TEN[5], delivery_mode="none"))
    author = await service.whois(TEN[0])
    for moment, expected in (
        (as_of, {*TEN} - {TEN[3], TEN[4], TEN[5]}),
        (await service.as_of(), {*TEN, "late@example.org"} - {TEN[3], TEN[4], TEN[5]}),
    ):
        routed = msgspec.structs.replace(post(moment), author=author.person)
        await route(broker, routed)
        assert (await done(broker, routed.mail_id)).audience == len(expected)
        assert {*everybody(await queued(broker, routed.mail_id))} == expected


async def test_a_post_waits_for_the_roster(service: Membership, broker: Broker) -> None:
    """A post routed as of more than this instance has folded waits until it has."""
    now = await service.as_of()
    routed = post(AsOf(membership=now.membership + 1, people=now.people + 1))
    await route(broker, routed)
    with pytest.raises(TimeoutError):
        await done(broker, routed.mail_id, seconds=0.3)
    await service.add("late@example.org")
    assert (await done(broker, routed.mail_id)).audience == 11


async def test_nobody_to_send_to_is_recorded(service: Membership, broker: Broker) -> None:
    """A post to a list without members is done at once, with nothing queued."""
    await service.create("empty@lists.example.org")
    routed = post(await service.as_of(), slug="empty-lists-example-org")
    await route(broker, routed)
    fanned = await done(broker, routed.mail_id, routed.list)
    assert (fanned.audience, fanned.chunks) == (0, 0)
    assert await queued(broker, routed.mail_id, routed.list) == []


async def test_a_post_delivered_again_is_not_queued_again(
    service: Membership, broker: Broker
) -> None:
    """With the consumer reset to the beginning nothing more is queued, not even to who joined
    since or after the chunks themselves were deleted."""
    routed = post(await service.as_of())
    await route(broker, routed)
    await done(broker, routed.mail_id)
    await service.import_(many(10, 200))
    first = await broker.last("SEND", subjects.send("now", SLUG, routed.mail_id, "0"))
    assert first is not None
    await broker.erase("SEND", first.seq)
    await broker.api(f"CONSUMER.RESET.ROUTED.{subjects.FANOUT.name}", {"seq": 1})
    after = post(await service.as_of())
    await route(broker, after)
    await done(broker, after.mail_id)  # everything before it was handled again
    assert await queued(broker, routed.mail_id) == []


async def test_two_instances_queue_a_post_once(
    service: Membership, broker: Broker, tmp_path: Path
) -> None:
    """With two instances at work every post is queued once, and both have the same roster."""
    await service.import_(many(10, 300))
    async with membership(broker, settings(tmp_path)):
        posts = [post(await service.as_of(), personal=bool(n % 2)) for n in range(20)]
        await asyncio.gather(*(route(broker, routed) for routed in posts))
        for routed in posts:
            assert (await done(broker, routed.mail_id)).audience == 300
            chunks = await queued(broker, routed.mail_id)
            assert sorted(everybody(chunks)) == sorted(row.address for row in many(0, 300))


async def test_addresses_follow_the_settings_of_the_list(broker: Broker, tmp_path: Path) -> None:
    """Generated addresses have the form the list is set to, and the https link stands in a copy
    only where there is a web service, and in none to owners, who would not leave by it."""
    async with membership(broker, settings(tmp_path, web=Web())) as service:
        await service.create()
        await service.add("ann@example.org")
        await service.ask(ConfigureList(list=LIST, settings={"sub_address": "plus"}))
        routed = post(await service.as_of())
        await route(broker, routed)
        await done(broker, routed.mail_id)
        ((_, chunk),) = await queued(broker, routed.mail_id)
        assert chunk.copy.bounces == ("team+bounces-", "@lists.example.org")
        assert chunk.copy.leave == ("team+leave-", "@lists.example.org")
        assert chunk.copy.unsubscribe_url == f"https://lists.example.org/u/{SLUG}-"
        await service.add("owner@example.org", role="owner")
        mail = to_owners(await service.as_of())
        await route(broker, mail)
        await done(broker, mail.mail_id)
        ((_, chunk),) = await queued(broker, mail.mail_id)
        assert chunk.copy.unsubscribe_url == ""


def to_owners(as_of: AsOf) -> OwnerMailRouted:
    """A mail to the owners of the list; two decisions on one mail have ids of their own."""
    mail_id = new_id()
    return OwnerMailRouted(mail_id=f"{mail_id}-2", list=SLUG, raw=raw(mail_id), as_of=as_of)


async def test_mail_to_owners_reaches_owners_and_moderators(
    service: Membership, broker: Broker
) -> None:
    """Mail to -owner goes to owners and moderators in the fast lane, whatever their own delivery
    says, and to no member."""
    await service.add("owner@example.org", role="owner")
    await service.add("mod@example.org", role="moderator")
    await service.ask(
        ChangeMember(list=LIST, address="owner@example.org", delivery_status="by_user")
    )
    routed = to_owners(await service.as_of())
    await route(broker, routed)
    assert (await done(broker, routed.mail_id)).audience == 2
    ((lane, chunk),) = await queued(broker, routed.mail_id)
    assert lane == "now"
    assert {*chunk.addresses} == {"owner@example.org", "mod@example.org"}


@pytest.mark.parametrize("owner", ["postmaster@example.org", ""])
async def test_a_list_without_owners_has_its_domains(
    broker: Broker, tmp_path: Path, owner: str
) -> None:
    """Mail to the owners of a list that has none reaches the owner of the domain; where there is
    none either, it is recorded that nobody was reached."""
    async with membership(broker, settings(tmp_path, owner=owner)) as service:
        await service.create()
        routed = to_owners(await service.as_of())
        await route(broker, routed)
        assert (await done(broker, routed.mail_id)).audience == (1 if owner else 0)
        assert everybody(await queued(broker, routed.mail_id)) == ([owner] if owner else [])
