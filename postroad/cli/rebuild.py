"""`postroad rebuild`: the analytics are folded anew from the streams."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from msgspec.structs import asdict

from postroad.cli.frame import Call, command
from postroad.cli.output import complain
from postroad.cli.progress import progress
from postroad.runtime.errors import PostroadError, Retry, UsageError
from schemas import subjects
from schemas.questions import Progress, Wish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postroad.runtime.broker import Broker
    from postroad.runtime.config import Config

rebuild = typer.Typer()
Name = Annotated[str, typer.Argument(metavar="NAME", help="A projection, or all.")]
POLL_SECONDS = 0.25
SILENT_SECONDS = 60.0  # that the projector may not answer for, while it changes files


@command(rebuild, "rebuild", example="postroad rebuild deliveries")
async def run(call: Call, name: Name) -> int:
    """Fold a projection anew from its stream, into a new file that then replaces the old one.

    Rows of events that the streams keep no more are carried over. The projector goes on meanwhile;
    where none runs, the command does it alone, and folds all streams on to their ends. Broken off
    anywhere, no row is lost; but a projector that was asked goes on when this command ends, and
    until then takes no other.
    """
    from postroad.cli.road import streams
    from postroad.runtime.projector import answers

    names = _names(name)
    async with streams(call.config) as broker:
        how = _asked if await answers(broker) else _alone
        with progress(f"folding {name} anew (events)") as bar:

            def tell(at: Progress) -> None:
                bar(at.events, at.total)

            done = await how(call.config, broker, names, tell)
    if done.error or done.refused:
        raise PostroadError(f"nothing was rebuilt: {done.error or done.refused}")
    rate = done.events / max(done.seconds, 0.01)
    said = f"{done.events:,} events in {done.seconds:.1f} s ({rate:,.0f} a second)"
    said += f", {done.rows:,} rows: {', '.join(done.names)}"
    call.show(_told(done), lambda: print(f"rebuilt from {said}"))
    if done.failed:
        raise PostroadError(
            f"{done.failed:,} events could not be folded, which is a fault of ours; the log says "
            "which (projector.bug)"
        )
    return 0


def _told(done: Progress) -> dict[str, Any]:
    """Every count, also of nothing; no error, for an answer that has one tells of a failure."""
    return {name: value for name, value in asdict(done).items() if name not in ("error", "refused")}


def _names(name: str) -> Sequence[str]:
    from projections.catalog import projections

    there = [each.name for each in projections() if each.tables]
    if name == "all":
        return there
    if name not in there:
        raise UsageError(f"there is no projection {name!r}; there are: all, {', '.join(there)}")
    return [name]


Tell = Callable[[Progress], None]
How = Callable[["Config", "Broker", "Sequence[str]", Tell], Awaitable[Progress]]


async def _asked(_: Config, broker: Broker, names: Sequence[str], tell: Tell) -> Progress:
    """Have the projector do it."""
    wish = msgspec.json.encode(Wish(names=tuple(names)))
    at = await _ask(broker, "rebuild", wish)
    while at.state == "running" and not at.refused:
        tell(at)
        await asyncio.sleep(POLL_SECONDS)
        at = await _ask(broker, "rebuilding", b"")
    return at


async def _ask(broker: Broker, endpoint: str, data: bytes) -> Progress:
    try:
        reply = await broker.request(subjects.projector(endpoint), data, timeout=SILENT_SECONDS)
    except Retry as retry:
        raise PostroadError(
            "the projector answers no more; `postroad status` says how it is, and nothing is lost"
        ) from retry
    return msgspec.json.decode(reply, type=Progress)


async def _alone(config: Config, broker: Broker, names: Sequence[str], tell: Tell) -> Progress:
    """Do it here: no projector runs. A file that proves to be damaged is moved aside, as by one."""
    import duckdb

    from projections.duckfile import ailment, told
    from projections.watched import Damaged

    doubt = ""
    while True:
        try:
            return await _opened(config, broker, names, tell, doubt)
        except (duckdb.Error, Damaged, OSError) as error:
            if doubt or ailment(error) != "corrupt":
                raise PostroadError(
                    f"the rebuild was broken off ({told(error)}); ask again, or start the "
                    "projector, which folds on from where the file stands"
                ) from error
            doubt = told(error)


async def _opened(
    config: Config, broker: Broker, names: Sequence[str], tell: Tell, doubt: str
) -> Progress:
    from projections.warehouse import NAME
    from services.projector.keeper import opened, unfit
    from services.projector.rebuild import Rebuild, alone

    warehouse = await opened(config, broker, doubt)
    running: asyncio.Task[None] | None = None
    try:
        job = Rebuild(broker, warehouse, names)
        if warehouse.aside is not None:
            job.progress.aside = warehouse.lies_aside
            complain(f"{NAME} {unfit(warehouse)}")
        if warehouse.copied is not None:
            complain(f"a stream went back; {warehouse.copied.name} has all rows that were there")
        running = asyncio.create_task(alone(job))
        while not running.done():
            tell(job.progress)
            await asyncio.wait({running}, timeout=POLL_SECONDS)
        running.result()
        return job.progress
    finally:
        if running is not None:
            running.cancel()
            await asyncio.wait({running})
        await warehouse.close()
