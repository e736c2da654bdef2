"""A mail that a program of the mail server hands over: the source of kind `pipe`.

It is published by `postroad mail take` itself, which answers when the broker has it on disk. In the
service there is nothing to read; the source is only known there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from postroad.mail.arrived import postmark
from postroad.mail.fields import first_field
from postroad.mail.identity import content_name, named_id
from postroad.runtime.clock import now
from postroad.runtime.config import Config, Source
from postroad.runtime.health import Health
from postroad.runtime.service import Context, connect
from postroad.runtime.telemetry import Telemetry
from schemas.road import Origin
from services.ingest.arrival import Arrival
from services.ingest.feed import Session, Sessions
from services.ingest.publisher import Publisher

CONNECT_SECONDS = 10.0
FLUSH_SECONDS = 2.0  # for spans, which are nobody's mail


def idle(feed: Sessions) -> Session:
    """A source that nothing is read from."""

    async def session() -> None:
        feed.report(None)
        feed.tried.set()
        if not feed.context.once:
            await feed.context.stopping.wait()

    return session


def plain(data: bytes) -> bytes:
    """The mail without the line `From SENDER DATE` that some servers put before it: its date would
    make another mail of each try."""
    return data[first_field(data) :]


async def hand_over(
    config: Config, source: Source, data: bytes, sender: str | None, recipients: Sequence[str]
) -> bool:
    """Put a mail onto the road; whether it is there, of whatever try. `sender` is "" for the null
    sender, None for none known. Raises PostroadError, Retry, ApiError: then it may be, or not, and
    is known when it comes again."""
    recipients = tuple(dict.fromkeys(recipients))
    mail = Arrival(
        mail_id=named_id(source.name, "", content_name(data, sender, recipients), postmark(data)),
        origin=Origin(source=source.name, arrived=now()),
        size=len(data),
        sender=sender,
        recipients=recipients,
    )
    async with await connect(config, "take", wait=CONNECT_SECONDS) as broker:
        telemetry = Telemetry("ingest", config.telemetry)
        context = Context(
            config=config, broker=broker, telemetry=telemetry, health=Health("ingest")
        )
        (outcome,) = await Publisher(context, source).receive([(mail, data)])
        with contextlib.suppress(Exception):  # the mail is what counts
            async with asyncio.timeout(FLUSH_SECONDS):
                await telemetry.flush(broker.tell)
        telemetry.close()
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
