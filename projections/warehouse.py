"""The owner of `analytics.duckdb`: the tables of every projection, and how far each stream is in.

Rows of all projections of a stream, what their folds carry on, and the stream's position are
stored in one transaction. A file that is damaged, or was folded from other streams than those there
are, is moved aside, where it stays until an erasure, and a new one begun; of streams that went back
the rows above their ends are taken out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

import duckdb
import msgspec

from postroad.runtime.crashpoint import crashpoint
from projections import adopting, columns, duckfile, layout, pruning, receding
from projections.duckfile import Lock, StoreBusy, Transaction
from projections.projection import Carry, Folded, Projection, Table
from projections.pruning import Old
from projections.reading import CONFIG, Answer, Given, answer
from projections.receding import Receded, Unfit
from projections.watched import Damaged, Watched

T = TypeVar("T")

NEVER = "1TB"  # a log that is longer
READERS = 2  # threads; a large query must not keep a look-up waiting
QUERY_SECONDS = 20.0
PATIENCE_SECONDS = 3.0  # for a command that reads the file to end
NAME = "analytics.duckdb"


class Origin(msgspec.Struct, frozen=True):
    """A stream as it is: when it was created, and its last sequence."""

    created: str
    last: int


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What messages of `stream` above `after` up to `upto` became, by name of projection."""

    stream: str
    after: int
    upto: int
    folded: Mapping[str, Sequence[Folded]]


class Exchanged(Exception):
    """Another file stands in the place of the one that this was folded for; nothing was stored."""


class Slow(Exception):
    """A query took longer than it may, and was ended."""


class Warehouse:
    """One open file. `checkpoints` holds the last sequence folded from each stream, `carries` what
    each projection takes to its next batch. `stale` are projections that have to be folded anew,
    because another version made their tables, or they came after events that they want, or a
    stream went back: until then nothing is stored for them. `aside` is where an unfit file was
    moved to at opening, None where it was gone, and why; `receded` where streams went back to, and
    `copied` a copy with all rows; `forgotten` what was taken out since it was last emptied, by
    table. It `owes` to be written anew where that was personal, for what DuckDB takes out lies on
    in room that it marks as free: a mark beside the file says so across crashes."""

    def __init__(
        self, path: Path, projections: Sequence[Projection], *, personal: bool = False
    ) -> None:
        self.path = path
        self.projections = projections
        self.personal = personal
        self.checkpoints: dict[str, int] = {}
        self.origins: dict[str, str] = {}  # when the streams of the file were created
        self.carries: dict[str, Carry] = {}
        self.stale: set[str] = set()
        self.aside: tuple[Path | None, str] | None = None
        self.receded: dict[str, int] = {}
        self.copied: Path | None = None
        self.forgotten: list[tuple[str, Sequence[str]]] = []
        self.owes = asyncio.Event()
        self._mark = Path(f"{path}.erase")
        self._tables = {
            table.name: (table, layout.insert(table, personal=personal), layout.given(table))
            for projection in projections
            for table in projection.tables
        }
        self._writer = ThreadPoolExecutor(1, "duckdb-write")
        self._readers = ThreadPoolExecutor(READERS, "duckdb-read")
        self.applying, self._copying = asyncio.Lock(), asyncio.Lock()
        self.generation = 0  # how often another file took the place of this one
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._lock: Lock | None = None
        self.connection: duckdb.DuckDBPyConnection
        self._watched: Watched

    @property
    def live(self) -> list[Projection]:
        """The projections that events are folded for."""
        return [each for each in self.projections if each.name not in self.stale]

    @property
    def lies_aside(self) -> str:
        """The name of the unfit file that was moved aside; empty where there was none."""
        path = self.aside[0] if self.aside is not None else None
        return path.name if path is not None else ""

    @classmethod
    async def open(
        cls,
        path: Path,
        projections: Sequence[Projection],
        streams: Mapping[str, Origin],
        *,
        personal: bool = False,
        stamp: str = "",
        doubt: str = "",
    ) -> Self:
        """Open the file, or begin one where there is none that is of use; `stamp` is for the name
        of one that is moved aside, as is one that there is reason to `doubt`. Raises StoreBusy
        where another process has it, and duckdb.Error or OSError where there is no room."""
        warehouse = cls(path, projections, personal=personal)
        await warehouse._take()
        try:
            await warehouse._in(warehouse._writer, partial(warehouse._open, streams, stamp, doubt))
        except BaseException:
            warehouse._writer.shutdown(wait=False)
            warehouse._release()
            raise
        return warehouse

    def table(self, name: str) -> Table:
        """A table of some projection."""
        return self._tables[name][0]

    def fits(self, streams: Mapping[str, Origin]) -> bool:
        """Whether the file is of these streams, and not beyond their ends."""
        return all(
            now.created == self.origins.get(name, now.created)
            and self.checkpoints.get(name, 0) <= now.last
            for name, now in streams.items()
        )

    async def apply(self, batches: Sequence[Batch], generation: int = 0) -> int:
        """Store batches, each of another stream, with their positions: all or nothing. Returns the
        rows stored. Raises CheckpointMoved where the file does not stand at an `after`, Exchanged
        where it is of another generation."""
        return await asyncio.shield(asyncio.ensure_future(self._applied(batches, generation)))

    async def _applied(self, batches: Sequence[Batch], generation: int) -> int:
        async with self.applying:
            if generation != self.generation:
                raise Exchanged
            rows = await self._write(partial(self._apply, batches))
            if self._mark.exists():
                self.owes.set()
            for batch in batches:
                self.checkpoints[batch.stream] = batch.upto
                for name, folded in batch.folded.items():
                    self.carries[name] = folded[-1].carry
            return rows

    async def read(self, sql: str, given: Given, limit: int, most: float = QUERY_SECONDS) -> Answer:
        """Rows, `limit` at most, in `most` seconds; of one moment. Raises Slow, duckdb.Error."""
        while not self._may_read.is_set():
            await self._may_read.wait()
        cursor = self.connection.cursor()

        def query() -> Answer:
            with cursor:
                return answer(cursor, sql, given, limit)

        try:
            async with asyncio.timeout(most):
                return await self._in(self._readers, query)
        except TimeoutError:
            cursor.interrupt()
            raise Slow from None

    async def prune(self, old: Sequence[Old]) -> int:
        """Delete the old rows; returns how many."""
        async with self.applying:
            return await self._write(lambda: pruning.prune(self.connection, self.projections, old))

    async def exchange(self, new: Path) -> None:
        """Go on with another file in the place of this one, which is closed; while nothing is
        applied. It holds nothing that was taken out, but for what is `forgotten`. Waits for the
        queries that run; what comes meanwhile waits for it."""
        async with self._copying:
            self._may_read.clear()
            try:
                await asyncio.to_thread(self._readers.shutdown)
                self._readers = ThreadPoolExecutor(READERS, "duckdb-read")
                await self._in(self._writer, partial(self._exchange, new))
                self.generation += 1
            finally:
                self._may_read.set()

    @contextlib.asynccontextmanager
    async def still(self) -> AsyncIterator[Mapping[str, int]]:
        """The file may be copied in this block, as it lies on disk: it holds what is folded up to
        these positions. Folding waits for the checkpoint alone: what comes goes into the log."""
        usual = f"set checkpoint_threshold = '{CONFIG['checkpoint_threshold']}'"
        async with contextlib.AsyncExitStack() as stack:
            async with self.applying:
                await stack.enter_async_context(self._copying)
                back = partial(duckfile.attempt, self.connection, usual)
                stack.push_async_callback(self._in, self._writer, back)
                await self._execute(f"set checkpoint_threshold = '{NEVER}'")
                await self._execute("force checkpoint")  # waits for queries; plain, it would fail
                positions = dict(self.checkpoints)
            yield positions

    async def _execute(self, sql: str) -> None:
        await self._write(lambda: self.connection.execute(sql))

    async def look(self) -> None:
        """Raises Damaged where somebody else wrote to the file, or took it away."""
        await self._write(lambda: None)

    async def _write(self, work: Callable[[], T]) -> T:
        def written() -> T:
            self._watched.check()
            done = work()
            self._watched.note()
            return done

        return await self._in(self._writer, written)

    async def close(self) -> None:
        """Finish what runs and let go of the file."""
        async with self.applying:
            await asyncio.to_thread(self._readers.shutdown)
            with contextlib.suppress(duckdb.Error):  # a file that broke
                await self._in(self._writer, self._close)
            self._writer.shutdown()
            self._release()

    def _close(self) -> None:
        try:
            self._watched.check()
        except Damaged:  # what lies there is left as it is
            self.connection.execute("pragma disable_checkpoint_on_shutdown")
        try:
            self.connection.close()
        finally:
            self._watched.close()

    @staticmethod
    async def _in(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, work)

    async def _take(self) -> None:
        """Take the lock; a command that reads the file has it for a moment."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_SECONDS
        while self._lock is None:
            try:
                self._lock = Lock(self.path)
            except StoreBusy:
                if loop.time() > until:
                    raise
                await asyncio.sleep(0.05)

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _exchange(self, new: Path) -> None:
        self._watched.check()
        self.connection.close()
        self._watched.close()
        duckfile.replace(self.path, new)
        if self._mark.exists():
            duckfile.remove_aside(self.path)  # they may hold what was taken out here
        if not self.forgotten:
            self._mark.unlink(missing_ok=True)
            self.owes.clear()
        self.connection = duckfile.connect(self.path, CONFIG)
        self._prepare({})
        self._watched = Watched(self.path)

    def _open(self, streams: Mapping[str, Origin], stamp: str, doubt: str) -> None:
        duckfile.remove_leftovers(self.path)
        try:
            if doubt:
                raise Unfit("corrupt", doubt)
            self._resume(streams)
        except Receded:
            self.copied = receding.copy(self.path, stamp)
            self._resume(streams)
        except Unfit as unfit:
            self.aside = (duckfile.move_aside(self.path, f"{unfit.kind}-{stamp}"), unfit.reason)
            self._resume(streams)
        self.path.chmod(0o600)
        self._watched = Watched(self.path)
        if self._mark.exists():
            self.owes.set()

    def _resume(self, streams: Mapping[str, Origin]) -> None:
        """Go on with the file, or begin it. Raises Unfit, with the file closed."""
        known = self.path.exists() and self.path.stat().st_size > 0
        if not known:
            self.path.unlink(missing_ok=True)  # what a full disk left of making one
        try:
            self.connection = duckfile.connect(self.path, CONFIG)
        except duckdb.Error as error:
            if duckfile.is_locked(error):
                raise StoreBusy(self.path) from error
            raise self._judged(error, known=known) from error
        try:
            self._prepare(streams)
        except (duckdb.Error, msgspec.MsgspecError) as error:
            self.connection.close()
            raise self._judged(error, known=known) from error
        except Unfit:
            self.connection.close()
            raise

    @staticmethod
    def _judged(error: Exception, *, known: bool) -> Exception:
        """What an error at opening is: the file's fault, or that of its disk or memory."""
        no_room = isinstance(error, duckdb.OutOfMemoryException)
        no_room = no_room or duckfile.ailment(error) == "full"
        return error if no_room or not known else Unfit("corrupt", duckfile.told(error))

    def _prepare(self, streams: Mapping[str, Origin]) -> None:
        with Transaction(self.connection) as connection:
            for own in layout.OWN:
                connection.execute(f"create table if not exists {own}")
            found = connection.execute("select stream, seq, origin from checkpoint").fetchall()
            for name, seq, created in found:
                now = streams.get(name, Origin(created, seq))
                if now.created != created:
                    raise Unfit("other", f"it was folded from another stream {name} than there is")
                if seq > now.last:
                    self.receded[name] = now.last
                    if seq > now.last + receding.LITTLE and self.copied is None:
                        raise Receded("receded", name)
            for name in sorted(streams.keys() - {name for name, _, _ in found}):
                found.append((name, 0, streams[name].created))
                connection.execute("insert into checkpoint values (?, ?, ?)", found[-1])
            self.checkpoints = {name: seq for name, seq, _ in found}
            self.origins = {name: created for name, _, created in found}
            self.carries, self.stale = adopting.tables(
                connection, self.projections, self.checkpoints, personal=self.personal
            )
            if self.receded:
                self.stale |= receding.cut(connection, self.projections, self.receded)
                self.checkpoints |= self.receded
        adopting.views(self.connection, self.path.stem, self.projections)

    def _apply(self, batches: Sequence[Batch]) -> int:
        stored = 0
        with Transaction(self.connection) as connection:
            for batch in batches:
                for name, some in batch.folded.items():
                    for folded in some:
                        stored += self._store(connection, folded)
                    self._carry(connection, name, some[-1].carry)
                crashpoint("warehouse.filled")
                duckfile.move(connection, self.path, batch.stream, batch.after, batch.upto)
        return stored

    def _store(self, connection: duckdb.DuckDBPyConnection, folded: Folded) -> int:
        for name, values in folded.forget.items():
            sql = layout.forget(self.table(name))
            gone = connection.execute(sql, {"gone": list(values)}).fetchone()
            self.forgotten.append((name, values))
            if gone != (0,) and self.personal:
                self._mark.touch(mode=0o600)
        stored = 0
        for name, rows in folded.rows.items():
            if rows:
                _, insert, given = self._tables[name]
                stored += columns.fill(connection, insert, columns.columns(given, rows))
        return stored

    def _carry(self, connection: duckdb.DuckDBPyConnection, name: str, carry: Carry) -> None:
        if carry != self.carries[name]:
            text = msgspec.json.encode(carry).decode()
            connection.execute("update projection set carry = ? where name = ?", [text, name])
