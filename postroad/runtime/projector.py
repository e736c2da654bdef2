"""Asking the projector, over NATS micro: a question out, rows in pieces in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol, TypeVar

import msgspec
from nats.aio.msg import Msg
from nats.errors import NoRespondersError

from postroad.runtime.attach import COMMAND
from postroad.runtime.broker import Broker
from postroad.runtime.errors import PostroadError, Retry
from postroad.runtime.health import LEFT_OUT
from postroad.runtime.rollcall import rollcall
from schemas import subjects
from schemas.questions import Piece, Question

ANSWER_SECONDS = 30.0  # for the next piece
SILENT_SECONDS = 3.0  # without an answer, until it is asked whether it hears at all
DEAF_SECONDS = 4.0  # that it may take to say so: its machine may be busy
ABSENT_SECONDS = 3.0  # that it may be away where it should run, as when it is just restarted
PROJECTOR = "projector"
T = TypeVar("T")


class Ask(Protocol):
    """Asks a question of `projections/catalog.py`."""

    async def __call__(
        self, name: str, /, *, after: Mapping[str, int] | None = None, **parameters: Any
    ) -> list[dict[str, Any]]:
        """Its rows by column. With `after`, once these streams are folded so far. Raises Retry
        where nobody answers, PostroadError where there is no answer."""


def asking(broker: Broker) -> Ask:
    """A way to ask by this connection; values of rows are as JSON has them."""

    async def ask(
        name: str, /, *, after: Mapping[str, int] | None = None, **parameters: Any
    ) -> list[dict[str, Any]]:
        columns, found = await rows(broker, name, after, parameters)
        return [dict(zip(columns, row, strict=True)) for row in found]

    return ask


async def rows(
    broker: Broker, name: str, after: Mapping[str, int] | None, parameters: dict[str, Any]
) -> tuple[dict[str, str], list[list[Any]]]:
    """The columns, name to SQL type, and rows as JSON has them. Raises as `Ask`."""
    question = Question(name=name, parameters=parameters, after=dict(after or {}))
    return await pieces(broker, "query", msgspec.json.encode(question))


async def pieces(
    broker: Broker, endpoint: str, data: bytes, seconds: float = ANSWER_SECONDS
) -> tuple[dict[str, str], list[list[Any]]]:
    """What comes in pieces, `seconds` apart at most: columns and rows. Raises as `Ask`."""
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(message: Msg) -> None:
        arrived.put_nowait(message.data)

    inbox = broker.nc.new_inbox()
    subscription = await broker.nc.subscribe(inbox, cb=take)
    columns: dict[str, str] = {}
    found: list[list[Any]] = []
    try:
        await broker.nc.publish(subjects.projector(endpoint), data, reply=inbox)
        while True:
            answer = await while_it_hears(broker, arrived.get(), seconds)
            if not answer:  # nobody is there
                raise Retry("the projector is away")
            piece = msgspec.json.decode(answer, type=Piece)
            if piece.refused:
                raise PostroadError(f"the projector has no answer: {piece.refused}")
            columns = columns or piece.columns
            found += piece.rows
            if piece.last:
                return columns, found
    except TimeoutError:
        raise Retry("the projector did not answer in time") from None
    except msgspec.MsgspecError as error:
        raise Retry(f"the projector's answer cannot be read: {error}") from None
    finally:
        await subscription.unsubscribe()


async def while_it_hears(broker: Broker, answer: Coroutine[Any, Any, T], seconds: float) -> T:
    """What is waited for, `seconds` at most (TimeoutError). Raises Retry as soon as the projector
    is seen to hang: one that is busy with a question hears others meanwhile."""
    task = asyncio.ensure_future(answer)
    try:
        async with asyncio.timeout(seconds):
            while True:
                await asyncio.wait({task}, timeout=SILENT_SECONDS)
                if not task.done() and not await _hears(broker) and not task.done():
                    raise Retry("the projector runs and does not answer: it hangs, or is swamped")
                if task.done():
                    return task.result()
    finally:
        task.cancel()


async def _hears(broker: Broker) -> bool:
    try:
        await broker.inbox.ask(subjects.projector("query"), b"", None, DEAF_SECONDS)
    except NoRespondersError:
        return True  # it ends, and finishes what was begun
    except TimeoutError:
        return False
    return True


async def answers(broker: Broker) -> bool:
    """Whether there is a projector; known at once, but where one should be, in a moment."""
    loop = asyncio.get_running_loop()
    until = loop.time() + ABSENT_SECONDS
    expected = False
    while True:
        try:
            await broker.inbox.ask(subjects.projector("query"), b"", None, 2.0)
        except NoRespondersError:
            expected = expected or await _expected(broker)
            if not expected or loop.time() > until:
                return False
            await asyncio.sleep(0.1)
        except TimeoutError:
            return True
        else:
            return True


async def _expected(broker: Broker) -> bool:
    """Whether services run, and nobody was told to leave the projector out."""
    if broker.alone:
        return False
    reports = await rollcall(broker, [PROJECTOR])
    left_out = any(
        fact.kind == LEFT_OUT and fact.name == PROJECTOR
        for report in reports
        for fact in report.facts
    )
    return not left_out and any(report.service != COMMAND for report in reports)
