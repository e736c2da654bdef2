"""Membership killed at its crash points: the next try finishes what the last one began."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, new_id
from schemas import codec, subjects
from schemas.commands import ChangeMember
from schemas.envelope import Event
from schemas.membership import MemberChanged, MemberUnsubscribed
from tests.broker.membership import (
    LIST,
    SLUG,
    done,
    everybody,
    many,
    membership,
    post,
    queued,
    route,
    settings,
)
from tests.peers import forkserver

SETTINGS = """
[site]
domain = "lists.example.org"
state_dir = "{state_dir}"
[broker]
ack_wait = "2s"
"""


async def die(state_dir: Path, crashpoint: str, more: str = "") -> None:
    """Run the service, with `more` settings, in a process of its own until it kills itself at
    this point."""
    file = state_dir / "postroad.toml"
    file.write_text(SETTINGS.format(state_dir=state_dir) + more)
    with (state_dir / "log").open("ab") as log:
        process = await forkserver.start(
            *("postroad.cli.serve", "membership", "--config", str(file)),
            imported=["services.membership.service"],
            env={**os.environ, "POSTROAD_CRASHPOINT": crashpoint},
            stdout=log.fileno(),
            stderr=log.fileno(),
        )
    assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("members", "crashpoint"),
    [
        (10, "membership.after_chunk:1"),
        (10, "membership.before_done:1"),
        (1000, "membership.after_batch:1"),
        (1000, "membership.after_batch:2"),
        (1000, "membership.before_done:1"),
    ],
)
async def test_killed_in_a_fan_out_everybody_is_queued_once(
    broker: Broker, tmp_path: Path, members: int, crashpoint: str
) -> None:
    """Wherever it was killed, everybody stands in one chunk, the numbers run through, and one
    chunk is the last."""
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.import_(many(0, members))
        routed = post(await service.as_of())
    await route(broker, routed)
    await die(tmp_path, crashpoint)
    async with membership(broker, settings(tmp_path)):
        fanned = await done(broker, routed.mail_id)
    chunks = await queued(broker, routed.mail_id)
    assert (fanned.audience, fanned.chunks) == (members, len(chunks))
    assert sorted(everybody(chunks)) == sorted(row.address for row in many(0, members))
    assert [chunk.first for _, chunk in chunks] == list(range(0, members, 128))
    assert [chunk.last for _, chunk in chunks] == [False] * (len(chunks) - 1) + [True]


async def say(broker: Broker, person: str, event: Event) -> None:
    """Store what happened to a member while no membership service ran."""
    message = envelope([event], correlation=new_id(), actor="operator")
    await broker.publish(subjects.membership(SLUG, person), codec.encode(message))


async def test_killed_with_all_queued_the_archive_has_one_copy(
    broker: Broker, tmp_path: Path
) -> None:
    """Dying before a fan-out is said to be done, the chunk of `also_to` is queued; the next try
    leaves it at that."""
    async with membership(broker, settings(tmp_path)) as running:
        await running.create(also_to="all@archive.example")
        await running.import_(many(0, 3))
        routed = post(await running.as_of())
    await route(broker, routed)
    await die(tmp_path, "membership.before_done:1")
    async with membership(broker, settings(tmp_path)):
        assert (await done(broker, routed.mail_id)).audience == 4
    chunks = await queued(broker, routed.mail_id)
    assert [len(chunk.people) for _, chunk in chunks] == [3, 1]


async def test_a_post_that_has_a_chunk_stays_in_its_lane(broker: Broker, tmp_path: Path) -> None:
    """Killed after its single chunk was queued, a post is not queued in the bulk lane as well
    because somebody is back by now who makes it too large for one chunk."""
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.import_(many(0, 129))
        routed = post(await service.as_of())
        address = many(0, 1)[0].address
        person = (await service.whois(address)).person
        await service.ask(ChangeMember(list=LIST, address=address, delivery_status="by_user"))
    await route(broker, routed)
    await die(tmp_path, "membership.after_chunk")
    await say(broker, person, MemberChanged(delivery_status="enabled"))
    async with membership(broker, settings(tmp_path)):
        fanned = await done(broker, routed.mail_id)
    ((lane, chunk),) = await queued(broker, routed.mail_id)
    assert (fanned.audience, fanned.chunks) == (128, 1)
    assert (lane, len(chunk.people)) == ("now", 128)


async def test_what_was_queued_is_counted_though_all_have_left(
    broker: Broker, tmp_path: Path
) -> None:
    """Killed after its chunk was queued, a post is recorded with whom it was queued for, although
    the list is empty by now."""
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.import_(many(0, 3))
        routed = post(await service.as_of())
        people = [(await service.whois(row.address)).person for row in many(0, 3)]
    await route(broker, routed)
    await die(tmp_path, "membership.after_chunk")
    for person in people:
        await say(broker, person, MemberUnsubscribed())
    async with membership(broker, settings(tmp_path)):
        assert (await done(broker, routed.mail_id)).audience == 3
    assert len(await queued(broker, routed.mail_id)) == 1
