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
from typing import TYPE_CHECKING, Any

from postroad.runtime.errors import PostroadError, Retry
from postroad.runtime.projector import Ask, answers, rows

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker
    from postroad.runtime.config import Config
    from projections.reading import Answer

MENDS = "`postroad up` starts the projector, which mends it"
POSITIONS = "select stream, seq from checkpoint"
Rows = list[dict[str, Any]]


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


async def _asked(
    broker: Broker, name: str, /, *, after: Mapping[str, int] | None = None, **parameters: Any
) -> Rows:
    try:
        return _rows(*await rows(broker, name, after, parameters))
    except Retry as retry:
        raise PostroadError(f"{retry.reason}; `postroad status` says how it is") from retry


async def _of_file(stack: contextlib.AsyncExitStack, config: Config, problem: str) -> Ask:
    """A way to ask the file itself, which nobody folds into meanwhile."""
    import duckdb

    from projections.catalog import queries
    from projections.duckfile import StoreBusy, told
    from projections.reading import ROWS, answer, reading
    from projections.warehouse import NAME

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


def _rows(columns: Mapping[str, str], found: Iterable[Iterable[Any]]) -> Rows:
    read: list[Callable[[Any], Any]]
    read = [_READ.get(re.split(r"\W", kind)[0], _same) for kind in columns.values()]
    return [
        {
            name: None if value is None else how(value)
            for name, how, value in zip(columns, read, row, strict=True)
        }
        for row in found
    ]


def _same(value: Any) -> Any:
    return value


def _time(value: Any) -> datetime:
    found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


_READ: dict[str, Callable[[Any], Any]] = {"timestamp": _time, "date": _day, "decimal": float}
