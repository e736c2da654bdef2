"""The owner of one DuckDB file: rows and the stream position they came from, in one transaction.

What is in the file can always be folded again from the streams, therefore another schema, or
another broker behind it, simply starts a new one.

What a row held stays in the file after it is changed, in room that DuckDB only marks as free, and
in its log (WAL). Where nothing may be left, of somebody who was erased, the file is written anew; a
mark beside it says so until that is done, and whoever finds it starts a new file.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import duckdb
import msgspec

from projections import duckfile
from projections.change import Change
from projections.duckfile import Lock, StoreBusy, Transaction

T = TypeVar("T")
Row = tuple[Any, ...]

# One thread for each query: two cores serve everything else. Membership's resident memory, at most,
# with a million members (measured): 87 MB at rest, 193 in an import, 203 in fan-outs, 227 where it
# folds the million anew and fans out.
CONFIG: dict[str, Any] = {
    "threads": 1,
    "memory_limit": "90MB",
    "preserve_insertion_order": False,
    "checkpoint_threshold": "64MB",  # of the log beside the file; 16 costs a fifth more
}
FEW = 8  # rows that are found one by one sooner: among a million, one in 5 ms, several in 40
READERS = 4  # threads; a large query must not keep a look-up waiting


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """The tables of a file. Another `version` makes old files start again from nothing."""

    version: int
    tables: str
    streams: tuple[str, ...]


class Store:
    """One open file. `checkpoints` holds the last sequence folded from each stream."""

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path = path
        self.checkpoints: dict[str, int] = {}
        self.owes = False  # a rewrite
        self._schema = schema
        self._writer = ThreadPoolExecutor(1, "duckdb-write")
        self._readers = ThreadPoolExecutor(READERS, "duckdb-read")
        self._large = asyncio.Lock()
        self._applying = asyncio.Lock()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._mark = Path(f"{path}.erase")
        self._lock: Lock | None = None
        self._connection: duckdb.DuckDBPyConnection

    @classmethod
    async def open(
        cls, path: Path, schema: Schema, *, origin: str = "", ends: Mapping[str, int] | None = None
    ) -> Self:
        """Open the file, or start a new one where it is missing, damaged, of another schema, or
        folded from other streams than those of today.

        `origin` names the streams and `ends` their last sequences: a file that stands beyond an
        end was folded from a stream that is no more. Raises StoreBusy where another process has
        the file.
        """
        store = cls(path, schema)
        try:
            await store._in(store._writer, partial(store._open, origin, ends or {}))
        except BaseException:
            store._writer.shutdown(wait=False)
            raise
        return store

    async def apply(
        self,
        changes: Sequence[Change],
        *,
        stream: str,
        after: int,
        upto: int,
        erases: bool = False,
    ) -> None:
        """Store rows folded from `stream`, sequences above `after` up to `upto`.

        All or nothing, together with the new position. Where it `erases`, `rewrite` is owed from
        then on, across crashes. Raises CheckpointMoved where the file does not stand at `after`.
        """
        async with self._applying:
            if erases:
                self._mark.touch(mode=0o600)
                self.owes = True
            await self._in(self._writer, partial(self._apply, changes, stream, after, upto))
            self.checkpoints[stream] = upto

    async def rewrite(self) -> None:
        """Write the file anew, without what was erased: a second for each 200,000 people. Waits for
        the queries that run; what comes meanwhile waits for it."""
        async with self._large, self._applying:
            self._may_read.clear()
            try:
                await asyncio.to_thread(self._readers.shutdown)
                self._readers = ThreadPoolExecutor(READERS, "duckdb-read")
                await self._in(self._writer, self._rewrite)
                self.owes = False
            finally:
                self._may_read.set()

    async def read(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Every row of a query; for small answers. Sees one moment of the file."""

        def query() -> list[Row]:
            with self._connection.cursor() as cursor:
                return cursor.execute(sql, parameters).fetchall()

        while not self._may_read.is_set():
            await self._may_read.wait()
        return await self._in(self._readers, query)

    async def stream(
        self, sql: str, parameters: Mapping[str, Any], size: int
    ) -> AsyncGenerator[list[Row]]:
        """The rows of a large query in pieces of `size`, in memory bound by `size`; sees one moment
        of the file from the first row to the last. One at a time, the next waits for its end: two
        that sort or join whole tables at once run out of memory (seen with 150 MB, too)."""
        async with self._large:
            cursor = self._connection.cursor()
            try:
                await self._in(self._readers, partial(cursor.execute, sql, parameters))
                while rows := await self._in(self._readers, partial(cursor.fetchmany, size)):
                    yield rows
            finally:
                await self._in(self._readers, cursor.close)

    async def close(self) -> None:
        """Finish what runs and let go of the file."""
        await asyncio.to_thread(self._readers.shutdown)
        await self._in(self._writer, self._connection.close)
        self._writer.shutdown()
        if self._lock is not None:
            self._lock.close()

    @staticmethod
    async def _in(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, work)

    def _open(self, origin: str, ends: Mapping[str, int]) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = Lock(self.path)
        about = {
            ("schema", str(self._schema.version)),
            ("origin", origin),
            ("duckdb", duckdb.__version__),  # another release may have another `hash`
        }
        if not self._resume(about, ends):
            duckfile.remove(self.path)
            self._connection = duckfile.connect(self.path, CONFIG)
            self._create(about)
            self._mark.unlink(missing_ok=True)
        self.path.chmod(0o600)  # it holds addresses
        self.checkpoints = duckfile.positions(self._connection)

    def _resume(self, about: set[tuple[str, str]], ends: Mapping[str, int]) -> bool:
        """Open what is there; False where it is of no use."""
        duckfile.remove_spilled(self.path)
        if self._mark.exists() or not self.path.exists():
            return False
        try:
            self._connection = duckfile.connect(self.path, CONFIG)
        except duckdb.Error:
            return False  # damaged, or no database; if it is the disk, creating one will say so
        try:
            found = self._connection.execute("select name, value from about").fetchall()
            stands = duckfile.positions(self._connection)
            stale = any(seq > ends.get(name, seq) for name, seq in stands.items())
            if set(found) == about and not stale:
                return True
        except duckdb.Error:
            pass  # new, or damaged inside
        self._connection.close()
        return False

    def _create(self, about: set[tuple[str, str]]) -> None:
        with Transaction(self._connection) as connection:
            connection.execute("create table about (name varchar, value varchar)")
            connection.execute("create table checkpoint (stream varchar, seq ubigint)")
            connection.executemany("insert into about values (?, ?)", sorted(about))
            connection.executemany(
                "insert into checkpoint values (?, 0)", [[name] for name in self._schema.streams]
            )
            connection.execute(self._schema.tables)

    def _rewrite(self) -> None:
        new = Path(f"{self.path}.new")
        for path in (new, Path(f"{new}.wal")):
            path.unlink(missing_ok=True)
        self._connection.execute(f"attach {duckfile.quoted(new)} as rewritten")
        self._connection.execute(f'copy from database "{self.path.stem}" to rewritten')
        self._connection.execute("checkpoint rewritten")
        self._connection.execute("detach rewritten")
        self._connection.close()
        duckfile.replace(self.path, new)
        self._connection = duckfile.connect(self.path, CONFIG)
        self._mark.unlink()

    def _apply(self, changes: Sequence[Change], stream: str, after: int, upto: int) -> None:
        with Transaction(self._connection) as connection:
            for change in changes:
                for rows in _portions(change):
                    with connection.query_appender(change.sql, change.columns) as appender:
                        appender.append_rows(rows)
            duckfile.move(connection, self.path, stream, after, upto)


def _portions(change: Change) -> Iterable[Sequence[Row]]:
    """Few rows one by one: DuckDB looks for one by one column alone, for several by all."""
    if change.finds and len(change.rows) <= FEW:
        return [[row] for row in change.rows]
    return [change.rows] if change.rows else []


def drop(path: Path) -> None:
    """Take away a file that no process has open: what is in it can be folded again."""
    if not path.exists():
        return
    with contextlib.suppress(StoreBusy):
        lock = Lock(path)
        duckfile.remove(path)
        Path(f"{path}.erase").unlink(missing_ok=True)
        lock.close()
