"""The owner of `analytics.duckdb`: the tables of every projection, and how far each stream is in.

Rows of all projections of a stream, what their folds carry on, and the stream's position are
stored in one transaction. A file that cannot be gone on with, because it is damaged or was folded
from other streams than those there are, is moved aside, never deleted, and a new one begun.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import duckdb
import msgspec

from projections import columns, duckfile, layout
from projections.duckfile import Lock, StoreBusy, Transaction
from projections.projection import Carry, Folded, Projection, Row

T = TypeVar("T")

CONFIG: dict[str, Any] = {
    "threads": 1,  # two cores serve everything else
    "memory_limit": "150MB",
    "preserve_insertion_order": False,
    "checkpoint_threshold": "64MB",  # of the log beside the file
}
NEVER = "1TB"  # a log that is longer
READERS = 2  # threads; a large query must not keep a look-up waiting
PATIENCE_SECONDS = 3.0  # for a command that reads the file to end
NAME = "analytics.duckdb"
ROWS = 200_000  # of one answer, at most


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


class Answer(msgspec.Struct, frozen=True):
    """Rows of a query; `columns` is name to SQL type."""

    columns: dict[str, str]
    rows: list[Row]


class Unfit(Exception):
    """The file cannot be gone on with; `kind` is `corrupt` or `other`."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


class Warehouse:
    """One open file. `checkpoints` holds the last sequence folded from each stream, `carries` what
    each projection takes to its next batch; `stale` are projections whose tables another version
    made; `aside` is where an unfit file was moved to at opening, and why."""

    def __init__(
        self, path: Path, projections: Sequence[Projection], *, personal: bool = False
    ) -> None:
        self.path = path
        self.projections = projections
        self.personal = personal
        self.checkpoints: dict[str, int] = {}
        self.carries: dict[str, Carry] = {}
        self.stale: set[str] = set()
        self.aside: tuple[Path, str] | None = None
        self._tables = {
            table.name: (table, layout.insert(table, personal=personal), layout.given(table))
            for projection in projections
            for table in projection.tables
        }
        self._writer = ThreadPoolExecutor(1, "duckdb-write")
        self._readers = ThreadPoolExecutor(READERS, "duckdb-read")
        self._applying = asyncio.Lock()
        self._lock: Lock | None = None
        self._connection: duckdb.DuckDBPyConnection

    @classmethod
    async def open(
        cls,
        path: Path,
        projections: Sequence[Projection],
        streams: Mapping[str, Origin],
        *,
        personal: bool = False,
        stamp: str = "",
    ) -> Self:
        """Open the file, or begin one where there is none that is of use; `stamp` is for the name
        of one that is moved aside. Raises StoreBusy where another process has it."""
        warehouse = cls(path, projections, personal=personal)
        await warehouse._take()
        try:
            await warehouse._in(warehouse._writer, partial(warehouse._open, streams, stamp))
        except BaseException:
            warehouse._writer.shutdown(wait=False)
            warehouse._release()
            raise
        return warehouse

    async def apply(self, batches: Sequence[Batch]) -> int:
        """Store batches, each of another stream, with their positions: all or nothing. Returns the
        rows stored. Raises CheckpointMoved where the file does not stand at an `after`."""
        async with self._applying:
            rows = await self._in(self._writer, partial(self._apply, batches))
            for batch in batches:
                self.checkpoints[batch.stream] = batch.upto
                for name, folded in batch.folded.items():
                    self.carries[name] = folded[-1].carry
            return rows

    async def read(self, sql: str, parameters: Mapping[str, Any], limit: int) -> Answer:
        """The rows of a query, `limit` at most; sees one moment of the file."""

        def query() -> Answer:
            with self._connection.cursor() as cursor:
                return answer(cursor, sql, parameters, limit)

        return await self._in(self._readers, query)

    @contextlib.asynccontextmanager
    async def still(self) -> AsyncIterator[Mapping[str, int]]:
        """The file may be copied in this block, as it lies on disk: it holds what is folded up to
        these positions, and what is folded meanwhile goes into its log. Folding waits for the
        checkpoint alone."""
        async with self._applying:
            positions = dict(self.checkpoints)
            await self._execute(f"set checkpoint_threshold = '{NEVER}'")
            await self._execute("checkpoint")
        try:
            yield positions
        finally:
            threshold = CONFIG["checkpoint_threshold"]
            await self._execute(f"set checkpoint_threshold = '{threshold}'")

    async def _execute(self, sql: str) -> None:
        await self._in(self._writer, partial(self._connection.execute, sql))

    async def close(self) -> None:
        """Finish what runs and let go of the file."""
        await asyncio.to_thread(self._readers.shutdown)
        await self._in(self._writer, self._connection.close)
        self._writer.shutdown()
        self._release()

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

    def _open(self, streams: Mapping[str, Origin], stamp: str) -> None:
        duckfile.remove_spilled(self.path)
        try:
            self._resume(streams)
        except Unfit as unfit:
            self.aside = (duckfile.move_aside(self.path, f"{unfit.kind}-{stamp}"), unfit.reason)
            self._resume(streams)
        self.path.chmod(0o600)

    def _resume(self, streams: Mapping[str, Origin]) -> None:
        """Go on with the file, or begin it. Raises Unfit, with the file closed."""
        known = self.path.exists()
        try:
            self._connection = duckfile.connect(self.path, CONFIG)
        except duckdb.IOException as error:
            if duckfile.is_locked(error):
                raise StoreBusy(self.path) from error
            raise Unfit("corrupt", duckfile.told(error)) from error
        except duckdb.Error as error:
            raise Unfit("corrupt", duckfile.told(error)) from error
        try:
            self._prepare(streams)
        except (duckdb.Error, msgspec.MsgspecError) as error:
            self._connection.close()
            if not known:
                raise
            raise Unfit("corrupt", duckfile.told(error)) from error
        except Unfit:
            self._connection.close()
            raise

    def _prepare(self, streams: Mapping[str, Origin]) -> None:
        with Transaction(self._connection) as connection:
            for own in layout.OWN:
                connection.execute(f"create table if not exists {own}")
            found = connection.execute("select stream, seq, origin from checkpoint").fetchall()
            for name, seq, created in found:
                now = streams.get(name)
                if now is not None and (created != now.created or seq > now.last):
                    raise Unfit("other", f"it was folded from another stream {name} than there is")
            new = streams.keys() - {name for name, _, _ in found}
            for name in sorted(new):
                connection.execute(
                    "insert into checkpoint values (?, 0, ?)", [name, streams[name].created]
                )
            self._adopt(connection)
            self.checkpoints = duckfile.positions(connection)

    def _adopt(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the tables of projections that are new, and all views anew."""
        views = "select view_name from duckdb_views() where not internal and database_name = ?"
        for (name,) in connection.execute(views, [self.path.stem]).fetchall():
            connection.execute(f'drop view "{name}"')
        found = connection.execute("select name, version, carry from projection").fetchall()
        versions = {name: version for name, version, _ in found}
        self.carries = {name: msgspec.json.decode(carry) for name, _, carry in found}
        for each in self.projections:
            version = layout.version(each, personal=self.personal)
            if versions.get(each.name) == version:
                continue
            for table in each.tables:
                connection.execute(f"drop table if exists {table.name}")
                connection.execute(layout.create(table))
            connection.execute("delete from projection where name = ?", [each.name])
            connection.execute("insert into projection values (?, ?, '{}')", [each.name, version])
            self.carries[each.name] = {}
        for view in layout.in_order(view for each in self.projections for view in each.views):
            connection.execute(f"create view {view.name} as {view.sql}")

    def _apply(self, batches: Sequence[Batch]) -> int:
        stored = 0
        with Transaction(self._connection) as connection:
            for batch in batches:
                for name, some in batch.folded.items():
                    for folded in some:
                        stored += self._store(connection, folded)
                    self._carry(connection, name, some[-1].carry)
                duckfile.move(connection, self.path, batch.stream, batch.after, batch.upto)
        return stored

    def _store(self, connection: duckdb.DuckDBPyConnection, folded: Folded) -> int:
        for name, values in folded.forget.items():
            column = self._tables[name][0].forgets
            sql = f"delete from {name} where list_contains($gone, {column})"  # noqa: S608
            connection.execute(sql, {"gone": list(values)})
        for name, rows in folded.rows.items():
            if rows:
                _, insert, given = self._tables[name]
                connection.register(layout.GIVEN, columns.columns(given, rows))
                connection.execute(insert)
                connection.unregister(layout.GIVEN)
        return sum(map(len, folded.rows.values()))

    def _carry(self, connection: duckdb.DuckDBPyConnection, name: str, carry: Carry) -> None:
        if carry != self.carries[name]:
            text = msgspec.json.encode(carry).decode()
            connection.execute("update projection set carry = ? where name = ?", [text, name])


def answer(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any], limit: int
) -> Answer:
    """The rows of a query, `limit` at most."""
    connection.execute(sql, dict(parameters))
    described: Iterable[Sequence[Any]] = connection.description or ()
    return Answer({str(c[0]): str(c[1]).lower() for c in described}, connection.fetchmany(limit))


@contextlib.contextmanager
def reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that only reads, while nobody folds into the file. Raises StoreBusy where
    somebody does."""
    lock = Lock(path, shared=True)
    try:
        with duckfile.connect(path, {**CONFIG, "access_mode": "read_only"}) as connection:
            yield connection
    finally:
        lock.close()
