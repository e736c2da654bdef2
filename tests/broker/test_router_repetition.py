"""A robot that answers its own copies is held; counting survives routers and redelivery."""

from __future__ import annotations

from postroad.runtime.broker import Broker
from schemas.road import MailStopped
from tests.broker.router_peers import (
    AUTHORS,
    TEAM,
    a_letter,
    a_list,
    all_handled,
    decisions,
    membership,
    routed,
    routing,
)


def answer(number: int, body: str = "I am on holiday.", author: str = "ann") -> list[str]:
    """One of many mails, all with one body."""
    head = (f"Message-ID: <{author}{number}@x>", f"From: {author}@example.org", f"To: {TEAM}")
    return [*head, f"Subject: Re: about {number}", "", body]


async def test_the_fourth_mail_of_one_text_is_held_whoever_routes_it(broker: Broker) -> None:
    """Each mail is decided by a router that has just started, and delivered twice."""
    await a_list(broker, TEAM)
    for number in range(4):
        async with membership(broker, AUTHORS), routing(broker):
            mail = await a_letter(broker, *answer(number))
            found = await routed(broker, number + 1)
            await broker.api("CONSUMER.RESET.RECEIVED.router", {"seq": 1})
            await all_handled(broker)
    assert sorted(subject.split(".")[0] for subject in found) == ["held", "post", "post", "post"]
    (stopped,) = found[f"held.team.{mail}"].events
    assert isinstance(stopped, MailStopped)
    assert [hit.rule for hit in stopped.hits] == ["repetition"]
    assert await decisions(broker) == 4


async def test_mails_at_the_same_moment_are_counted_by_all_routers(broker: Broker) -> None:
    """Three of twenty are posts, whichever of two routers has them."""
    await a_list(broker, TEAM)
    async with membership(broker, AUTHORS), routing(broker), routing(broker):
        for number in range(20):
            await a_letter(broker, *answer(number))
        found = await routed(broker, 20)
    assert sum(subject.startswith("post.") for subject in found) == 3


async def test_each_author_counts_alone(broker: Broker) -> None:
    """Four people who say the same are no robot, whether membership knows them or not."""
    await a_list(broker, TEAM, default_nonmember_action="accept")
    async with membership(broker, AUTHORS), routing(broker):
        for author in ("ann", "bob", "cat", "dan"):
            await a_letter(broker, *answer(1, body="+1", author=author))
            await a_letter(broker, *answer(2, body="+1", author=author))
        found = await routed(broker, 8)
    assert {subject.split(".")[0] for subject in found} == {"post"}


async def test_no_address_can_be_told_from_what_is_remembered(broker: Broker) -> None:
    """Of a stranger's address four hex digits stand in the subject, shared by many addresses."""
    await a_list(broker, TEAM, default_nonmember_action="accept")
    async with membership(broker, {}), routing(broker):
        await a_letter(broker, *answer(1))
        await routed(broker, 1)
    stored = await broker.last("SEEN", "seen.team.recent.*")
    assert stored
    assert len(stored.subject.rpartition(".")[2]) == 4
    assert b"ann" not in stored.data
