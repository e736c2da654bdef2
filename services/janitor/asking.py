"""Questions to the projector: a name and parameters out, rows in pieces in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
from nats.aio.msg import Msg

from postroad.runtime.broker import Broker
from postroad.runtime.errors import Retry
from schemas import subjects
from schemas.questions import Piece, Question
from services.janitor.sweep import Ask

ANSWER_SECONDS = 30.0


def asking(broker: Broker) -> Ask:
    """A way to ask by this connection. Raises Retry where there is no answer."""
    return partial(_ask, broker)


async def _ask(
    broker: Broker, name: str, /, *, after: Mapping[str, int] | None = None, **parameters: Any
) -> list[dict[str, Any]]:
    question = Question(name=name, parameters=parameters, after=dict(after or {}))
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(message: Msg) -> None:
        arrived.put_nowait(message.data)

    inbox = broker.nc.new_inbox()
    subscription = await broker.nc.subscribe(inbox, cb=take)
    columns: list[str] = []
    rows: list[dict[str, Any]] = []
    try:
        data = msgspec.json.encode(question)
        await broker.nc.publish(subjects.projector("query"), data, reply=inbox)
        while True:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await arrived.get()
            if not answer:  # nobody is there
                raise Retry("the projector is away")
            piece = msgspec.json.decode(answer, type=Piece)
            if piece.refused:
                raise Retry(f"the projector has no answer: {piece.refused}")
            columns = columns or list(piece.columns)
            rows += [dict(zip(columns, row, strict=True)) for row in piece.rows]
            if piece.last:
                return rows
    except (TimeoutError, msgspec.MsgspecError):
        raise Retry("the projector did not answer in time") from None
    finally:
        await subscription.unsubscribe()
