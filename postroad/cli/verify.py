"""`postroad verify`: the analytics folded anew, and compared with those in use and the streams."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from postroad.cli.frame import Call, command
from postroad.cli.progress import progress
from postroad.runtime.errors import PostroadError, Retry

if TYPE_CHECKING:
    from postroad.runtime.broker import Broker
    from postroad.runtime.config import Config
    from schemas.questions import Span
    from services.projector.verdict import Verdict

verify = typer.Typer()
Rows = Annotated[
    bool, typer.Option("--rows", metavar="", help="Name messages that differ, by sequence.")
]
POLL_SECONDS = 0.25
ANSWER_SECONDS = 150.0  # for one sum
PATIENCE = 30  # seconds, where the projector changes files
CODES = {"same": 0, "different": 1, "not compared": 2}


class NotCompared(PostroadError):
    """Nothing can be said. Exit code 2."""

    exit_code = 2


@command(verify, "verify", example="postroad verify --rows")
async def run(call: Call, rows: Rows = False) -> int:
    """Fold all analytics anew, and compare them with those in use and with the streams.

    Of each table the rows and the sum of their digests are compared, by list and day, as far back
    as the streams reach. Then the streams themselves: messages that are missing, sequences and
    times that go back. Nothing is changed; what is folded meanwhile does not matter.

    Exit code 0: all is the same. 1: something differs. 2: it could not be compared.
    """
    import duckdb

    from postroad.cli.verdictwords import show
    from projections.duckfile import StoreBusy, told

    try:
        found = await _verified(call.config)
    except StoreBusy as busy:
        raise NotCompared(
            f"process {busy.pid} compares already, or has {busy.path} open; try again later"
        ) from busy
    except duckdb.Error as error:
        raise NotCompared(f"nothing was compared: {told(error)}") from error
    except (Retry, OSError) as error:
        raise NotCompared(f"nothing was compared: {' '.join(str(error).split())}") from error
    except PostroadError as error:
        raise NotCompared(f"nothing was compared: {error}") from error
    return call.judge(CODES[found.verdict], found, lambda: show(found, rows=rows))


async def _verified(config: Config) -> Verdict:
    from postroad.runtime.projector import answers
    from postroad.runtime.service import connect
    from services.projector.verify import Verification

    async with await connect(config, "verify") as broker:
        live = Live(config, broker, running=await answers(broker))
        job = Verification(config, broker, live.ask)
        running = asyncio.create_task(job.run())
        try:
            with progress("folding all anew (events)") as bar:
                while not (running.done() or job.tables):
                    bar(job.progress.events, job.progress.total)
                    await asyncio.wait({running}, timeout=POLL_SECONDS)
            with progress("comparing (tables)") as bar:
                while not running.done():
                    bar(job.compared, job.tables)
                    await asyncio.wait({running}, timeout=POLL_SECONDS)
        finally:
            running.cancel()
            await asyncio.wait({running})
        return running.result()


class Live:
    """The file in use: its projector is asked, or it is read where none runs."""

    def __init__(self, config: Config, broker: Broker, *, running: bool) -> None:
        self.path = config.site.state_dir
        self.broker = broker
        self.running = running

    async def ask(self, span: Span) -> list[Sequence[Any]]:
        """The sums of some rows. Raises PostroadError, Retry, duckdb.Error."""
        from postroad.runtime.projector import pieces
        from projections.duckfile import StoreBusy

        if not self.running:
            try:
                return await asyncio.to_thread(self._read, span)
            except StoreBusy:
                self.running = True  # it came meanwhile
        for patience in range(PATIENCE, -1, -1):
            try:
                _, rows = await pieces(
                    self.broker, "sums", msgspec.json.encode(span), ANSWER_SECONDS
                )
            except (PostroadError, Retry) as error:
                passing = isinstance(error, Retry) or "not now" in str(error)
                if not (patience and passing):
                    raise
                await asyncio.sleep(1)  # it puts another file in the place of this one
            else:
                return list(rows)
        raise AssertionError

    def _read(self, span: Span) -> list[Sequence[Any]]:
        from projections import sums
        from projections.catalog import projections
        from projections.reading import ROWS, answer, reading
        from projections.warehouse import NAME

        path = self.path / NAME
        if not path.exists():
            raise PostroadError(
                f"no projector answers, and there is no {path}; `postroad up` starts one"
            )
        sql: tuple[str, Any] = sums.STANDING, {}
        if span.table:
            table = sums.table(span.table, projections())
            assert table is not None
            sql = sums.statement(table, span)
        with reading(path) as connection:
            return list(answer(connection, *sql, ROWS).rows)
