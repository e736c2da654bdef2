"""Where a mailbox keeps one copy of a mail to several lists, it is for all that To and Cc name."""

from __future__ import annotations

import asyncio
from pathlib import Path

from postroad.runtime.broker import Broker
from postroad.runtime.config import Config, Site, Source
from postroad.runtime.service import running
from schemas import subjects
from schemas.lists import ListClosed
from schemas.road import MailUnrouted
from services.router.service import Router
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
    store,
)
from tests.peers.process import until


def copy_for(to: str, *named: str) -> list[str]:
    """The one copy of Ann's mail to the addresses `named`, delivered for `to`."""
    head = [f"Delivered-To: {to}", "Received: by mx.example.org", "From: ann@example.org"]
    return [*head, f"To: {', '.join(named)}", "Subject: x", "", "Anyone?"]


async def test_a_list_not_yet_heard_of_is_waited_for(broker: Broker) -> None:
    """Also where the trusted header names none but a list that is known."""
    box = Source(name="office", host="imap.example.org", user="box", one_copy=True)
    config = Config(path=Path("-"), site=Site(domain="lists.example.org"), source=(box,))
    await a_list(broker, TEAM)
    async with (
        membership(broker, AUTHORS),
        running("router", config, broker) as at,
    ):
        router = Router(at)
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(router.lists.follow())
            await router.lists.catch_up()
            following.cancel()
            await a_list(broker, NEWS)
            mail = await a_letter(broker, *copy_for(TEAM, NEWS))
            tasks.create_task(at.consume(subjects.ROUTER, router.handle))
            await until(lambda: _delivered(broker))
            following = tasks.create_task(router.lists.follow())
            await all_handled(broker)
            following.cancel()
            at.stopping.set()
        found = await routed(broker, await decisions(broker))
    assert set(found) == {f"post.team.{mail}", f"post.news.{mail}"}


async def _delivered(broker: Broker) -> bool:
    """Whether the router has been given its mail."""
    info = await broker.api("CONSUMER.INFO.RECEIVED.router")
    return bool(info["delivered"]["consumer_seq"])


async def test_a_list_that_is_closed_is_the_reason(broker: Broker) -> None:
    """Why a mail is for no list is looked for wherever its recipients are."""
    await store(broker, subjects.lists(await a_list(broker, NEWS)), ListClosed())
    async with membership(broker, {}), routing(broker, one_copy=True):
        mail = await a_letter(broker, *copy_for("bob@example.com", NEWS))
        (event,) = (await routed(broker, 1))[f"unrouted.none.{mail}"].events
    assert isinstance(event, MailUnrouted)
    assert event.reason == "it is for a list that is closed"
