"""A source for one list: whatever comes there is for that list, and no other is reached."""

from __future__ import annotations

from postroad.runtime.broker import Broker
from schemas import subjects
from schemas.road import MailUnrouted
from tests.broker.router_peers import (
    AUTHORS,
    NEWS,
    TEAM,
    a_letter,
    a_list,
    all_handled,
    decisions,
    membership,
    routed,
    routing,
)


def letter(to: str) -> list[str]:
    """A mail of Ann's."""
    return ["From: ann@example.org", f"To: {to}", "Subject: x", "", f"Anyone at {to}?"]


async def test_whatever_to_says_it_is_a_post_to_the_list(broker: Broker) -> None:
    """A mail to somebody else, or to another list, is a post to the list of its source, and its
    other addresses keep their meaning."""
    await a_list(broker, TEAM)
    await a_list(broker, NEWS)
    async with membership(broker, AUTHORS), routing(broker, list=TEAM):
        elsewhere = await a_letter(broker, *letter("zoe@example.com"))
        other = await a_letter(broker, *letter(NEWS))
        join = await a_letter(broker, *letter("team-join@lists.example.org"))
        await all_handled(broker)
        found = await routed(broker, await decisions(broker))
    expected = {f"post.team.{elsewhere}", f"post.team.{other}", f"command.team.{join}"}
    assert set(found) == expected


async def test_a_list_that_does_not_exist_yet_is_named_in_the_reason(broker: Broker) -> None:
    """Nothing is posted to another list meanwhile, and the record says what to do."""
    await a_list(broker, NEWS)
    async with membership(broker, AUTHORS), routing(broker, list=TEAM):
        mail = await a_letter(broker, *letter(NEWS))
        await all_handled(broker)
        found = await routed(broker, await decisions(broker))
    ((event,),) = (envelope.events for envelope in found.values())
    assert set(found) == {f"unrouted.{subjects.NO_LIST}.{mail}"}
    assert isinstance(event, MailUnrouted)
    assert "the only list of its source does not exist" in event.reason
