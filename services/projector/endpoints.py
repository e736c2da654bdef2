"""Questions to the projector over NATS micro: a name and parameters in, rows out in pieces."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import duckdb
import msgspec
import structlog
from nats.micro.request import Request

from postroad.runtime.errors import Retry
from postroad.runtime.micro import answering
from postroad.runtime.service import Context
from projections import sums
from projections.catalog import projections, queries
from projections.reading import ROWS, Answer
from projections.warehouse import QUERY_SECONDS, Slow
from schemas.questions import Piece, Progress, Question, Refreshed, Span, Wish
from services.projector.keeper import Keeper

PIECE = 256 << 10  # octets of a piece, at least; below what a broker takes in one message
SUM_SECONDS = 120.0  # that a sum of rows may take
CATCH_UP_SECONDS = 5.0  # before a copy that somebody waits for

log = structlog.get_logger()
_encode = msgspec.json.Encoder().encode


@contextlib.asynccontextmanager
async def serving(context: Context, keeper: Keeper) -> AsyncIterator[None]:
    """Answer for the length of the block, then finish what was begun."""
    table = {
        "query": partial(_query, context, keeper),
        "refresh": partial(_refresh, keeper),
        "rebuild": partial(_rebuild, keeper),
        "rebuilding": partial(_rebuilding, keeper),
        "sums": partial(_sums, keeper),
    }
    async with answering(context.broker, "projector", "what came of all mail", table):
        yield


async def _query(context: Context, keeper: Keeper, request: Request) -> None:
    context.health.count("queries")
    with contextlib.suppress(Exception):  # who asked may be gone
        for piece in pieces(await _answer(keeper, request.data)):
            await request.respond(_encode(piece))


async def _refresh(keeper: Keeper, request: Request) -> None:
    """Copies of all that is stored now; where much waits to be folded, of what is folded now."""
    try:
        held = keeper.held
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CATCH_UP_SECONDS):
                await held.feed.catch_up()
        taken = await held.snapshots.refresh()
    except Retry as retry:
        answer = Refreshed(refused=retry.reason)
    except duckdb.Error as error:
        answer = Refreshed(refused=keeper.ill(error))
    else:
        answer = Refreshed(as_of=held.snapshots.told, made=taken.octets > 0)
    with contextlib.suppress(Exception):
        await request.respond(_encode(answer))


async def _rebuild(keeper: Keeper, request: Request) -> None:
    """Begin to fold projections anew."""
    try:
        wish = msgspec.json.decode(request.data, type=Wish)
        answer = keeper.rebuild(wish.names)
    except msgspec.MsgspecError as error:
        answer = Progress(refused=f"not a wish: {error}")
    except Retry as retry:
        answer = Progress(refused=retry.reason)
    await request.respond(_encode(answer))


async def _rebuilding(keeper: Keeper, request: Request) -> None:
    """How far that is."""
    job = keeper.job
    await request.respond(_encode(job.progress if job else Progress(refused="nothing is rebuilt")))


async def _sums(keeper: Keeper, request: Request) -> None:
    """Sums of rows, for who compares."""
    with contextlib.suppress(Exception):  # who asked may be gone
        for piece in pieces(await _summed(keeper, request.data)):
            await request.respond(_encode(piece))


async def _summed(keeper: Keeper, data: bytes) -> Answer | str:
    try:
        span = msgspec.json.decode(data, type=Span)
    except msgspec.MsgspecError as error:
        return f"not a span: {error}"
    sql: tuple[str, Mapping[str, Any]] = sums.STANDING, {}
    if span.table:
        table = sums.table(span.table, projections())
        if table is None:
            return f"there is no table {span.table!r}; is the projector of another release?"
        sql = sums.statement(table, span)
    return await _read(keeper, "a sum", *sql, SUM_SECONDS)


async def _answer(keeper: Keeper, data: bytes) -> Answer | str:
    """Rows, or why there are none."""
    try:
        question = msgspec.json.decode(data, type=Question)
    except msgspec.MsgspecError as error:
        return f"not a question: {error}"
    query = queries().get(question.name)
    if query is None:
        return f"there is no question {question.name!r}; is the projector of another release?"
    try:
        await keeper.held.feed.reached(question.after)
    except Retry as retry:
        return f"not now, ask again: {retry.reason}"
    return await _read(keeper, question.name, query.sql, question.parameters, QUERY_SECONDS)


async def _read(
    keeper: Keeper, name: str, sql: str, parameters: Mapping[str, Any], seconds: float
) -> Answer | str:
    try:
        return await keeper.held.warehouse.read(sql, parameters, ROWS, seconds)
    except Retry as retry:
        return f"not now, ask again: {retry.reason}"
    except Slow:
        return f"{name} took longer than {seconds:g} s, and was ended"
    except duckdb.Error as error:
        return f"{name} cannot be answered: {keeper.ill(error)}"
    except Exception as bug:  # noqa: BLE001 - whoever asked gets an answer
        where = traceback.extract_tb(bug.__traceback__)[-1]
        at = f"{where.name}:{where.lineno}"
        # not the traceback: it could show a parameter
        log.error("query.bug", query=name, error=type(bug).__name__, at=at)  # noqa: TRY400
        return f"the projector failed at {name}; its log says more"


def pieces(found: Answer | str) -> Iterator[Piece]:
    """An answer in messages that a broker takes."""
    if isinstance(found, str):
        yield Piece(refused=found, last=True)
        return
    columns: dict[str, str] = found.columns
    rows: Sequence[Any] = found.rows
    while True:
        some, rows = _cut(rows)
        yield Piece(columns=columns, rows=some, last=not rows)
        columns = {}
        if not rows:
            return


def _cut(rows: Sequence[Any]) -> tuple[list[Any], Sequence[Any]]:
    size = 0
    for number, row in enumerate(rows):
        size += len(_encode(row))
        if size > PIECE:
            return list(rows[: number + 1]), rows[number + 1 :]
    return list(rows), ()
