"""Questions about what came of mail: asked of the projector, or of its file where none runs.

    async with projected(call.config) as ask:
        rows = await ask("growth", list="team")

Rows are dicts by column; times are datetimes in UTC.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from postroad.runtime.errors import PostroadError
from schemas import subjects
from schemas.questions import Piece, Question

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from postroad.runtime.broker import Broker
    from postroad.runtime.config import Config
    from projections.warehouse import Answer

ANSWER_SECONDS = 30.0
ABSENT_SECONDS = 3.0  # how long the projector may be away, as when it is just restarted
MENDS = "`postroad up` starts the projector, which mends it"
POSITIONS = "select stream, seq from checkpoint"
Rows = list[dict[str, Any]]


class Ask(Protocol):
    """Asks a question of `projections/catalog.py`."""

    async def __call__(
        self, name: str, /, *, after: Mapping[str, int] | None = None, **parameters: Any
    ) -> Rows:
        """Its rows. With `after`, once these streams are folded so far (a file that nobody folds
        into stands where it stands). Raises PostroadError."""


@contextlib.asynccontextmanager
async def projected(config: Config, broker: Broker | None = None) -> AsyncIterator[Ask]:
    """A way to ask, for the length of the block; by `broker`, where there is a connection already.
    Raises PostroadError where there is neither a projector nor a file of one."""
    from postroad.runtime.service import connect

    async with contextlib.AsyncExitStack() as stack:
        if broker is None:
            try:
                broker = await stack.enter_async_context(await connect(config, "ask", wait=2.0))
            except PostroadError as error:
                yield await _of_file(stack, config, str(error))
                return
        if await answers(broker):
            yield partial(_asked, broker)
        else:
            yield await _of_file(stack, config, "no projector answers; `postroad up` starts one")


async def answers(broker: Broker) -> bool:
    """Whether there is a projector, in a moment at the latest."""
    from nats.errors import NoRespondersError

    loop = asyncio.get_running_loop()
    until = loop.time() + ABSENT_SECONDS
    while True:
        try:
            await broker.inbox.ask(subjects.projector("query"), b"", None, 2.0)
        except NoRespondersError:
            if loop.time() > until:
                return False
            await asyncio.sleep(0.1)
        except TimeoutError:
            return True
        else:
            return True


async def _asked(
    broker: Broker, name: str, /, *, after: Mapping[str, int] | None = None, **parameters: Any
) -> Rows:
    question = Question(name=name, parameters=parameters, after=dict(after or {}))
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(message: Msg) -> None:
        arrived.put_nowait(message.data)

    inbox = broker.nc.new_inbox()
    subscription = await broker.nc.subscribe(inbox, cb=take)
    columns: Mapping[str, str] = {}
    rows: list[list[Any]] = []
    try:
        data = msgspec.json.encode(question)
        await broker.nc.publish(subjects.projector("query"), data, reply=inbox)
        while True:
            async with asyncio.timeout(ANSWER_SECONDS):
                piece = msgspec.json.decode(await arrived.get() or b"{}", type=Piece)
            columns = columns or piece.columns
            rows += piece.rows
            if piece.refused:
                raise PostroadError(piece.refused)
            if piece.last:
                return _rows(columns, rows)
    except TimeoutError:
        raise PostroadError(
            "the projector did not answer in time; `postroad status` says how it is"
        ) from None
    finally:
        await subscription.unsubscribe()


async def _of_file(stack: contextlib.AsyncExitStack, config: Config, problem: str) -> Ask:
    """A way to ask the file itself, which nobody folds into meanwhile."""
    import duckdb

    from projections.catalog import queries
    from projections.duckfile import StoreBusy, told
    from projections.warehouse import NAME, ROWS, answer, reading

    path = config.site.state_dir / NAME
    if not path.exists():
        raise PostroadError(f"{problem}, and nothing is folded into {path} yet")
    try:
        connection = stack.enter_context(reading(path))
    except duckdb.Error as error:
        raise PostroadError(f"{path} cannot be read ({told(error)}); {MENDS}") from error
    except StoreBusy as busy:
        raise PostroadError(
            f"process {busy.pid} has {path} open and does not answer; `postroad status` says more"
        ) from busy

    async def ask(
        name: str,
        /,
        *,
        after: Mapping[str, int] | None = None,
        **parameters: Any,
    ) -> Rows:
        if after:
            _tell_lag(await asyncio.to_thread(answer, connection, POSITIONS, {}, ROWS), after)
        found = await asyncio.to_thread(answer, connection, queries()[name].sql, parameters, ROWS)
        return _rows(found.columns, found.rows)

    return ask


def _tell_lag(positions: Answer, wanted: Mapping[str, int]) -> None:
    """Say on stderr how much was stored that the file does not know of."""
    from postroad.cli.output import complain, counted

    stands = {row[0]: int(row[1]) for row in positions.rows}
    behind = sum(max(0, seq - stands.get(stream, 0)) for stream, seq in wanted.items())
    if behind:
        newer = counted(behind, "newer event is", "newer events are")
        complain(f"no projector runs, and {newer} not counted here; `postroad up` starts it")


def _rows(columns: Mapping[str, str], rows: Iterable[Iterable[Any]]) -> Rows:
    read: list[Callable[[Any], Any]]
    read = [_READ.get(re.split(r"\W", kind)[0], _same) for kind in columns.values()]
    return [
        {
            name: None if value is None else how(value)
            for name, how, value in zip(columns, read, row, strict=True)
        }
        for row in rows
    ]


def _same(value: Any) -> Any:
    return value


def _time(value: Any) -> datetime:
    found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


_READ: dict[str, Callable[[Any], Any]] = {"timestamp": _time, "date": _day, "decimal": float}
