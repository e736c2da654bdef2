"""Who is no longer on the list, asked of a real broker while chunks are on their way."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, now
from schemas import codec, subjects
from schemas.envelope import Event
from schemas.membership import MemberChanged, MemberSubscribed, MemberUnsubscribed
from schemas.road import ChunkQueued
from services.sender.departed import REACH, Departed, is_gone
from tests.e2e.system import until
from tests.unit.sender.chunks import chunk

pytestmark = pytest.mark.broker
PEOPLE = ("ann", "bob", "cy")
JOINED, LEFT = MemberSubscribed(how="test"), MemberUnsubscribed(how="test")
CHUNK = chunk(3, people=PEOPLE)
A_WHILE, LONG = timedelta(minutes=1), REACH + timedelta(hours=1)


async def happened(broker: Broker, person: str, *events: Event) -> None:
    """Each of these was decided about somebody, one after the other."""
    for event in events:
        message = envelope([event], correlation="test", actor="test")
        await broker.publish(subjects.membership("team", person), codec.encode(message))


async def gone(departed: Departed, chunk: ChunkQueued, age: timedelta) -> list[str]:
    """Who of a chunk is gone, of what is known now."""
    found = await departed.of(chunk, now() - age)
    return [person for person in chunk.people if person in found]


@pytest.mark.parametrize("age", [A_WHILE, LONG], ids=["folded", "looked up"])
async def test_leaving_and_coming_back_are_known_within_seconds(
    broker: Broker, age: timedelta
) -> None:
    """However old the chunk is: who left before it is taken up, who leaves while it is in hand, and
    who is back; options and other roles say nothing about it."""
    for person in PEOPLE:
        await happened(broker, person, JOINED)
    await happened(broker, "bob", LEFT, MemberSubscribed(role="owner"))
    departed = Departed(broker)
    assert await gone(departed, CHUNK, age) == ["bob"]
    await happened(broker, "ann", LEFT)
    await happened(broker, "cy", MemberChanged(delivery_status="by_user"))

    async def ann_is_gone() -> bool:
        return await gone(departed, CHUNK, age) == ["ann", "bob"]

    await until(ann_is_gone, "who leaves while the chunk is in hand is known", 5)
    await happened(broker, "bob", JOINED)

    async def bob_is_back() -> bool:
        return await gone(departed, CHUNK, age) == ["ann"]

    await until(bob_is_back, "who came back is known", 5)


async def test_a_retry_counts_from_the_first_attempt(broker: Broker) -> None:
    """Its chunk is new, its audience is not."""
    await happened(broker, "ann", JOINED, LEFT)
    retry = msgspec.structs.replace(CHUNK, chunk="0r3", attempt=3, since=now() - LONG)
    departed = Departed(broker)
    assert await gone(departed, retry, timedelta()) == ["ann"]
    younger = msgspec.structs.replace(CHUNK, mail_id="n")
    assert await gone(departed, younger, A_WHILE) == ["ann"]


async def test_mail_that_is_not_for_members_goes_to_who_left(broker: Broker) -> None:
    """A goodbye is for somebody who has left; owners and archives need not be members."""
    await happened(broker, "ann", JOINED, LEFT)
    departed = Departed(broker)
    for mark in ({"notice": True}, {"to_members": False}):
        copy = msgspec.structs.replace(CHUNK.copy, **mark)
        chunk = msgspec.structs.replace(CHUNK, copy=copy)
        assert await gone(departed, chunk, LONG) == []


async def test_an_import_before_the_post_costs_nothing(broker: Broker) -> None:
    """What happened before its audience was fixed is not read again: a hundred thousand joins took
    ten seconds. An older audience is looked up all the same."""
    await happened(broker, "ann", JOINED, LEFT)  # no such person is in the audience
    await happened(broker, "bob", JOINED)
    last = await broker.last("MEMBERSHIP", "membership.>")
    assert last is not None
    departed = Departed(broker)
    chunk = msgspec.structs.replace(CHUNK, as_of=last.seq)
    await happened(broker, "bob", LEFT)
    assert await gone(departed, chunk, timedelta(seconds=5)) == ["bob"]
    older = msgspec.structs.replace(CHUNK, mail_id="n", as_of=1)
    assert await gone(departed, older, timedelta(seconds=5)) == ["ann", "bob"]


async def test_a_chunk_just_queued_costs_no_question(broker: Broker) -> None:
    """Most posts are out within two seconds, before leaving has to take effect."""
    await happened(broker, "ann", JOINED, LEFT)
    await broker.close()
    assert await gone(Departed(broker), CHUNK, timedelta()) == []


def test_the_last_word_about_membership_counts() -> None:
    """Other roles and options may come behind it."""
    assert is_gone([JOINED, LEFT, MemberSubscribed(role="owner")]) is True
    assert is_gone([LEFT, JOINED, MemberChanged(), MemberUnsubscribed(role="owner")]) is False
    assert is_gone([MemberChanged(delivery_status="by_user")]) is None
