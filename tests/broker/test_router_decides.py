"""The router on a real broker: each mail and list is decided once, and nothing is dropped."""

from __future__ import annotations

import asyncio

from postroad.runtime.broker import Broker
from postroad.runtime.consume import BUG_TRIES
from schemas import subjects
from schemas.lists import ListClosed, ListConfigured
from schemas.road import (
    MailRefused,
    MailStopped,
    MailUnrouted,
    Origin,
    OwnerMailRouted,
    Parked,
    PostRouted,
)
from tests.broker.router_peers import (
    ANN,
    AUTHORS,
    NEWS,
    TEAM,
    a_list,
    a_mail,
    all_handled,
    decisions,
    membership,
    routed,
    routing,
    store,
)
from tests.peers.process import until


async def test_one_mail_to_two_lists_is_two_independent_posts(broker: Broker) -> None:
    """Each list decides for itself, as of what membership knew, and the story stays one."""
    await a_list(broker, TEAM)
    await a_list(broker, NEWS, default_member_action="hold")
    async with membership(broker, AUTHORS), routing(broker):
        mail = await a_mail(broker, TEAM, NEWS)
        found = await routed(broker, 2)
    assert set(found) == {f"post.team.{mail}", f"held.news.{mail}"}
    (post,), (held,) = (envelope.events for envelope in found.values())
    assert isinstance(post, PostRouted)
    assert (post.list, post.author, post.as_of) == ("team", ANN.person, ANN.as_of)
    assert isinstance(held, MailStopped)
    assert {envelope.correlation for envelope in found.values()} == {mail}
    assert len({envelope.causation for envelope in found.values()} - {""}) == 1


async def test_a_list_and_its_owners_both_get_a_mail_to_both(broker: Broker) -> None:
    """The post is decided under the mail's id, the letter to the owners under the next."""
    await a_list(broker, TEAM)
    async with membership(broker, AUTHORS), routing(broker):
        mail = await a_mail(broker, "team-owner@lists.example.org", TEAM)
        found = await routed(broker, 2)
    assert set(found) == {f"post.team.{mail}", f"owner.team.{mail}-2"}
    (letter,) = found[f"owner.team.{mail}-2"].events
    assert isinstance(letter, OwnerMailRouted)
    assert letter.raw.mail_id == mail


async def test_mail_for_no_list_is_recorded_once(broker: Broker) -> None:
    """It stays visible with its reason, which names no address."""
    await a_list(broker, TEAM)
    gone = await a_list(broker, NEWS)
    await store(broker, subjects.lists(gone), ListClosed())
    async with membership(broker, AUTHORS), routing(broker):
        mails = [
            await a_mail(broker, "bob@example.com"),
            await a_mail(broker),
            await a_mail(broker, NEWS),
            await a_mail(broker, TEAM, source="attic"),
        ]
        found = await routed(broker, 4)
    reasons = []
    for mail in mails:
        (event,) = found[f"unrouted.none.{mail}"].events
        assert isinstance(event, MailUnrouted)
        assert "@" not in event.reason
        reasons.append(event.reason)
    assert reasons == [
        (
            "none of its recipients is a list; create it with `postroad list create`, "
            "then have the mail sent again"
        ),
        "it names no recipient in To or Cc",
        "it is for a list that is closed",
        "its source 'attic' is no longer in the settings",
    ]


async def test_a_source_reaches_only_lists_of_its_domain(broker: Broker) -> None:
    """A mailbox of one domain cannot post to another's list."""
    await a_list(broker, TEAM)
    await a_list(broker, "chess@club.example.net")
    async with membership(broker, AUTHORS), routing(broker, domain="club.example.net"):
        mail = await a_mail(broker, TEAM, "chess@club.example.net")
        assert set(await routed(broker, 1)) == {f"post.chess.{mail}"}


async def test_a_list_created_a_moment_ago_is_seen(broker: Broker) -> None:
    """Every list stored so far is looked at before a mail is said to be for no list, or for
    only one of two."""
    await a_list(broker, TEAM)
    async with membership(broker, AUTHORS), routing(broker):
        for number in range(20):
            await a_list(broker, f"l{number}@lists.example.org")
            await a_mail(broker, f"l{number}@lists.example.org", TEAM)
        found = await routed(broker, 40)
    assert {subject.partition(".")[0] for subject in found} == {"post"}


async def test_new_settings_hold_for_the_next_mail(broker: Broker) -> None:
    """The decision says under which version of the settings it was made."""
    await a_list(broker, TEAM)
    async with membership(broker, {}), routing(broker):
        first = await a_mail(broker, TEAM)
        await routed(broker, 1)
        change = ListConfigured(changes={"default_nonmember_action": ("hold", "accept")})
        version = await store(broker, subjects.lists("team"), change)
        await a_mail(broker, "bob@example.com")  # unrouted: LISTS was read to its end
        await routed(broker, 2)
        second = await a_mail(broker, TEAM)
        found = await routed(broker, 3)
    assert f"held.team.{first}" in found
    (post,) = found[f"post.team.{second}"].events
    assert isinstance(post, PostRouted)
    assert (post.settings, post.rule) == (version, "nonmember-moderation")


async def test_all_mail_delivered_again_decides_nothing_anew(broker: Broker) -> None:
    """A consumer reset to the beginning leaves ROUTED as it was."""
    await a_list(broker, TEAM)
    await a_list(broker, NEWS)
    async with membership(broker, AUTHORS) as asked, routing(broker):
        for _ in range(10):
            await a_mail(broker, TEAM, NEWS)
        await a_mail(broker, "bob@example.com")
        await all_handled(broker)
        assert await decisions(broker) == 21
        before = len(asked)
        await broker.api("CONSUMER.RESET.RECEIVED.router", {"seq": 1})
        await all_handled(broker)
        assert await decisions(broker) == 21
    assert len(asked) == 2 * before


async def test_two_routers_decide_each_mail_once(broker: Broker) -> None:
    """Several instances share the work without a word to each other."""
    await a_list(broker, TEAM)
    async with membership(broker, AUTHORS), routing(broker), routing(broker):
        mails = await asyncio.gather(*(a_mail(broker, TEAM) for _ in range(50)))
        await all_handled(broker)
        assert set(await routed(broker, 50)) == {f"post.team.{mail}" for mail in mails}


async def test_while_membership_is_away_mail_waits(broker: Broker) -> None:
    """A post is not decided without knowing its author; a command needs no author and goes on."""
    await a_list(broker, TEAM)
    async with routing(broker):
        post = await a_mail(broker, TEAM)
        command = await a_mail(broker, "team-join@lists.example.org")
        assert set(await routed(broker, 1)) == {f"command.team.{command}"}
        async with membership(broker, AUTHORS, knows=False) as asked:

            async def asked_often() -> bool:  # more often than a bug is tried
                return len(asked) > BUG_TRIES

            await until(asked_often)
        assert await decisions(broker) == 1
        async with membership(broker, AUTHORS):
            assert f"post.team.{post}" in await routed(broker, 2)
    assert await broker.last("DEADLETTER", "deadletter.>") is None


async def test_the_author_of_a_mail_without_one_is_not_guessed(broker: Broker) -> None:
    """Two authors: membership is asked about neither, and the mail is held."""
    await a_list(broker, TEAM)
    async with membership(broker, AUTHORS) as asked, routing(broker):
        mail = await a_mail(broker, TEAM, author="ann@example.org, eve@example.org")
        assert set(await routed(broker, 1)) == {f"held.team.{mail}"}
    assert [question.address for question in asked] == [""]


async def test_what_ingest_left_on_the_server_needs_no_decision(broker: Broker) -> None:
    """A refused mail is an event for the record, not for the router."""
    refused = MailRefused(mail_id="m", origin=Origin(source="office"), size=1, reason="stale")
    async with membership(broker, {}), routing(broker):
        await store(broker, subjects.received("office", "m"), refused)
        await all_handled(broker)
    assert await decisions(broker) == 0
    assert await broker.last("DEADLETTER", "deadletter.>") is None


async def test_poison_is_parked_and_holds_up_nothing(broker: Broker) -> None:
    """No event of ours, or not one for the router: kept with its bytes, and the next goes on."""
    await a_list(broker, TEAM)
    async with membership(broker, AUTHORS), routing(broker):
        await broker.publish(subjects.received("office", "bad1"), b"not an event")
        await store(broker, subjects.received("office", "bad2"), ListClosed())
        mail = await a_mail(broker, TEAM)
        assert set(await routed(broker, 1)) == {f"post.team.{mail}"}
        await all_handled(broker)
    parked = [
        event
        async for stored in broker.scan("DEADLETTER", "deadletter.>")
        for event in stored.envelope().events
        if isinstance(event, Parked)
    ]
    assert {event.seq: event.family for event in parked} == {1: "reject", 2: "reject"}


async def test_an_event_of_a_newer_release_in_lists_stops_nothing(broker: Broker) -> None:
    """What this release does not know about a list is passed over."""
    await a_list(broker, TEAM)
    newer = (
        b'{"id":"1","ts":"2026-01-01T00:00:00Z","correlation":"c","events":[{"t":"list_moved"}]}'
    )
    await broker.publish(subjects.lists("team"), newer)
    async with membership(broker, AUTHORS), routing(broker):
        mail = await a_mail(broker, TEAM)
        assert set(await routed(broker, 1)) == {f"post.team.{mail}"}
