"""A letter is stored and queued once, whatever dies on the way and however often it is sent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from postroad.mail.fields import body_offset, fields_end
from postroad.runtime.blobs import get_raw, put_raw
from postroad.runtime.broker import Broker
from schemas import subjects
from schemas.road import ChunkQueued
from services.membership.letters import Letter, compose, notice_id
from services.membership.letters.posting import Letterbox

SLUG = "team-lists-example-org"
CAUSE = "0195799f5f007d1e8b1c3a52d7e9f016"
NOTICE = notice_id(CAUSE, SLUG, "welcome")
WELCOME = Letter(
    text="welcome",
    to="ada@example.org",
    list_address="team@lists.example.org",
    list_name="Team",
    form="dash",
    date=datetime(2026, 3, 9, 8, 30, tzinfo=UTC),
    message_id=f"{NOTICE}@lists.example.org",
)


async def send(broker: Broker, letter: Letter = WELCOME) -> None:
    """Put a letter into the box."""
    await Letterbox(broker).send(letter, notice=NOTICE, list_slug=SLUG, cause=CAUSE, post=7)


async def queued(broker: Broker) -> list[ChunkQueued]:
    """Everything that is to be sent."""
    chunks: list[ChunkQueued] = []
    async for stored in broker.scan("SEND", "mail.send.>"):
        (event,) = stored.envelope().events
        assert isinstance(event, ChunkQueued)
        chunks.append(event)
    return chunks


async def test_a_letter_goes_out_first_and_with_the_null_sender(broker: Broker) -> None:
    """It is in the lane of notices, complete, with nothing in it that a bounce could come to."""
    await send(broker)
    (chunk,) = await queued(broker)
    assert chunk.addresses == ("ada@example.org",)
    assert chunk.last
    assert chunk.copy.notice
    assert chunk.copy.bounces == chunk.copy.leave == ("", "")
    assert chunk.copy.list_name == "Team"
    assert await get_raw(broker, chunk.copy.raw) == compose(WELCOME)
    stored = await broker.last("SEND", subjects.send("now", SLUG, NOTICE, "0"))
    assert stored is not None
    assert stored.envelope().correlation == CAUSE


async def test_sent_again_it_is_sent_once(broker: Broker) -> None:
    """One after the other, or two instances at once."""
    await asyncio.gather(send(broker), send(broker))
    await send(broker, replace(WELCOME, list_name="Team, renamed since"))
    (chunk,) = await queued(broker)
    assert await get_raw(broker, chunk.copy.raw) == compose(WELCOME)


async def test_what_was_stored_before_a_crash_is_what_is_sent(broker: Broker) -> None:
    """Stored by a process that died then; with other words since, the first ones stand."""
    data = compose(WELCOME)
    before = await put_raw(broker, NOTICE, 0, data, body_offset(data, fields_end(data, 0)))
    await send(broker, replace(WELCOME, text="goodbye"))
    (chunk,) = await queued(broker)
    assert chunk.copy.raw == before
    assert await get_raw(broker, chunk.copy.raw) == data
