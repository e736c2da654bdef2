"""A rehearsal has no way to store anything."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from postroad.cli.hindsight.reader import Reader
from postroad.runtime.broker import Broker, Message
from postroad.runtime.errors import Conflict, Reject
from postroad.runtime.stored import Stored
from schemas import subjects
from schemas.subjects import PRODUCERS


class Real:
    """A broker that answers one question: nothing is stored there but one claim."""

    async def last_many(self, _: str, names: list[str]) -> dict[str, Stored]:
        """The one claim, where it is asked for."""
        return {name: Stored(name, 7, b"there") for name in names if name.endswith(".had")}

    async def last(self, stream: str, subject: str) -> Stored | None:
        """Nothing."""


@pytest.fixture
def reader() -> Reader:
    """A reader of it."""
    return Reader(cast("Broker", Real()))


def test_every_way_to_the_broker_is_closed_or_reads() -> None:
    """What a broker learns to do one day is thought of here: it may write."""
    ways = {name for name, it in vars(Broker).items() if callable(it) and name[0] != "_"}
    assert ways - set(vars(Reader)) == {"close", "follow"}
    assert not hasattr(Reader(cast("Broker", Real())), "nc")


@pytest.mark.parametrize("subject", sorted({each for some in PRODUCERS.values() for each in some}))
async def test_nothing_is_published_but_claims_and_bodies_to_memory(
    reader: Reader, subject: str
) -> None:
    """Whatever any service may publish, a rehearsal does not."""
    told = subject.replace(">", "team.mail")
    if subjects.stream_of(told) in ("RAW", "THREADS"):
        await reader.publish(told, b"x")
        assert (await reader.last(subjects.stream_of(told), told)) is not None
    else:
        with pytest.raises(Reject):
            await reader.publish(told, b"x", expect=0)
        with pytest.raises(Reject):
            await reader.publish_batch([Message(told, b"x")])


async def test_nothing_is_asked_for_erased_or_changed(reader: Reader) -> None:
    """Questions to services may have answers that are deeds; so may calls of the broker."""
    with pytest.raises(Reject):
        await reader.request(subjects.command("list_set"), b"{}")
    with pytest.raises(Reject):
        await reader.erase("RAW", 1)
    with pytest.raises(Reject):
        await reader.purge("RAW", "raw.>", 9)
    with pytest.raises(Reject):
        await reader.api("STREAM.PURGE.RAW")
    with pytest.raises(Reject):
        await reader.api("CONSUMER.CREATE.RAW.x")
    await reader.tell("spans.0", b"{}")


async def test_a_claim_expects_what_is_stored_or_was_claimed_before(reader: Reader) -> None:
    """The second mail with a Message-ID meets the first, as it would in the stream."""
    had, new = subjects.thread("team", "had"), subjects.thread("team", "new")
    with pytest.raises(Conflict):
        await reader.publish(had, b"x", expect=0)
    seq = await reader.publish(had, b"x", expect=7)
    await reader.publish(new, b"y", expect=0)
    with pytest.raises(Conflict):
        await reader.publish(new, b"z", expect=0)
    found = await reader.last_many("THREADS", [had, new])
    assert (found[had].seq, found[new].data) == (seq, b"y")


async def test_a_body_that_was_made_is_dropped_with_its_mail(reader: Reader) -> None:
    """20,000 mails with a footer do not stay in memory."""
    name = subjects.raw("mail", 1, 0)
    await reader.publish(name, b"body", expect=0)
    assert [each.data async for each in reader.scan("RAW", "raw.mail.1.*")] == [b"body"]
    reader.forget("mail")
    assert await reader.last("RAW", name) is None


async def test_of_claims_at_once_one_is_had(reader: Reader) -> None:
    """Mails are judged many at a time; two that are one mail do not both become posts."""
    both = (reader.publish(subjects.thread("team", "new"), data, expect=0) for data in (b"x", b"y"))
    done = await asyncio.gather(*both, return_exceptions=True)
    assert [type(each) for each in done] == [int, Conflict]
