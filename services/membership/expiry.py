"""Questions and requests that nobody can answer any more are overwritten, and so is what was said
of them before the last. They hold the addresses of people who may never have joined, and what
PENDING drops by its own limits stays in the broker's files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import structlog

from postroad.runtime.broker import Broker
from postroad.runtime.stored import Stored
from schemas import subjects
from schemas.pending import ConfirmationAsked, RequestMade
from services.membership.looks import again_and_again

AGE = timedelta(days=13)  # a day less than the stream has
LOOK = 3600.0  # seconds
Asked = ConfirmationAsked | RequestMade

log = structlog.get_logger()


async def run(broker: Broker, stopping: asyncio.Event) -> None:
    """Look every hour until told to stop."""
    await again_and_again(
        *(lambda at: overwrite(broker, at - AGE), LOOK, stopping),
        lambda error: log.error("questions.not_overwritten", error=error),
    )


async def overwrite(broker: Broker, before: datetime) -> None:
    """Erase what was stored before this time, and what a later message says anew."""
    latest: dict[str, int] = {}  # sequence by subject
    async for stored, _ in questions(broker):
        if stored.subject in latest:
            await broker.erase("PENDING", latest.pop(stored.subject))
        if stored.time < before:
            await broker.erase("PENDING", stored.seq)
        else:
            latest[stored.subject] = stored.seq


async def questions(broker: Broker) -> AsyncIterator[tuple[Stored, Sequence[Asked]]]:
    """Every message with somebody's question or request."""
    for subject in (subjects.confirmation("*"), subjects.request("*", "*")):
        async for stored in broker.scan("PENDING", subject):
            if asked := [event for event in stored.events() if isinstance(event, Asked)]:
                yield stored, asked
