"""A new file beside the one in use, in which some projections are folded anew.

Their rows of messages that their stream keeps no more are carried over from the old file, and so
are rows that rest on such messages. The tables of other projections are copied. When both stand at
the same positions, the new file takes the place of the old one; until then nothing of that changes,
and whoever finds a new file that is not finished removes it.

It is attached to the connection of the old one, so both share its memory.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import duckdb
import msgspec
import pyarrow as pa

from projections import columns, duckfile, layout
from projections.columns import fill
from projections.duckfile import Transaction
from projections.projection import Carry, Folded, Projection, Table
from projections.warehouse import Warehouse

T = TypeVar("T")
NEW = "rebuilt"  # what the new file is called in SQL
# rows that are stored in one transaction: twice as many as DuckDB compresses together. It writes so
# many to the file as they come; fewer it appends a second time at the end of each transaction, and
# what is left over is compressed again
GROUP = 2 * 122_880
MOST = 2**63  # no stream has as many messages
_KEPT = "kept(stream varchar, first ubigint, last ubigint)"  # sequences that streams have
_CUT = "cut(stream varchar, seq ubigint)"  # what rests on messages that are there no more


class Rebuilt:
    """The new file of a warehouse, with `names` folded anew."""

    def __init__(self, warehouse: Warehouse, names: Iterable[str]) -> None:
        self.warehouse = warehouse
        self.path = Path(f"{warehouse.path}.new")
        self.anew = [each for each in warehouse.projections if each.name in set(names)]
        self._others = [each for each in warehouse.live if each not in self.anew and each.tables]
        self._thread = ThreadPoolExecutor(1, "duckdb-rebuild")
        self._connection = warehouse.connection.cursor()
        self._copied: Mapping[str, int] = {}
        self._open = False  # whether a transaction is
        self._loose = 0  # its rows

    async def begin(self) -> None:
        """Make the new file, and copy what is not folded anew."""
        async with self.warehouse.applying:
            self.warehouse.forgotten.clear()
        await self._in(self._begin)
        self._copied = dict(self.warehouse.checkpoints)
        await self._in(lambda: self._copy(self._others, {}, self._copied))

    async def store(self, _stream: str, _upto: int, folded: Mapping[str, Sequence[Folded]]) -> int:
        """Store what a stream became; returns how many rows."""
        return await self._in(lambda: self._store(folded))

    async def seen(self, stream: str, kept: Sequence[tuple[int, int]], cut: Sequence[int]) -> None:
        """A stream has these ranges of sequences, and no messages any more that these rest on."""
        await self._in(lambda: self._seen(stream, kept, cut))

    async def finish(self, carries: Mapping[str, Carry]) -> None:
        """Take the place of the old file; while nothing is applied to that, and all of it up to its
        positions is stored here."""
        await self._in(lambda: self._finish(carries))
        self._thread.shutdown()
        await self.warehouse.exchange(self.path)

    async def abandon(self) -> None:
        """Leave the old file as it is."""
        await self._in(self._abandon)
        self._thread.shutdown()

    async def _in(self, work: Callable[[], T]) -> T:
        # what is begun in the thread goes on where this is cancelled; the next waits for it
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _begin(self) -> None:
        duckfile.discard(self.path)
        # without a log: what dies is begun again
        self._connection.execute(
            f"attach {duckfile.quoted(self.path)} as {NEW} (recovery_mode no_wal_writes)"
        )
        self.path.chmod(0o600)
        with Transaction(self._connection) as connection:
            for own in (*layout.OWN, _KEPT, _CUT):
                connection.execute(f"create table {NEW}.{own}")
            for each in self.warehouse.projections:
                for table in each.tables:
                    connection.execute(layout.create(table, f"{NEW}.{table.name}"))

    def _copy(
        self, some: Sequence[Projection], above: Mapping[str, int], upto: Mapping[str, int]
    ) -> None:
        for each in some:
            for table in each.tables:
                self._connection.execute(
                    f"insert into {NEW}.{table.name} select * from {table.name} "
                    "where seq > $above and seq <= $upto",
                    {"above": above.get(each.stream, -1), "upto": upto[each.stream]},
                )

    def _store(self, folded: Mapping[str, Sequence[Folded]]) -> int:
        stored = 0
        tables = {table.name: table for each in self.anew for table in each.tables}
        if not self._open:
            self._connection.begin()
            self._open = True
        for some in folded.values():
            for one in some:
                for name, values in one.forget.items():
                    self._forget(name, values)
                for name, rows in one.rows.items():
                    if rows:
                        table = tables[name]
                        sql = layout.insert(table, personal=self.warehouse.personal, into=f"{NEW}.")
                        stored += fill(
                            self._connection, sql, columns.columns(layout.given(table), rows)
                        )
        self._loose += stored
        if self._loose >= GROUP:
            self._settle()
        return stored

    def _settle(self) -> None:
        """Store what is open for good."""
        if self._open:
            self._open, self._loose = False, 0
            self._connection.commit()
            self._connection.execute(f"checkpoint {NEW}")

    def _forget(self, name: str, values: Sequence[str]) -> None:
        sql = layout.forget(self.warehouse.table(name), into=f"{NEW}.")
        self._connection.execute(sql, {"gone": list(values)})

    def _seen(self, stream: str, kept: Sequence[tuple[int, int]], cut: Sequence[int]) -> None:
        if kept:
            firsts, lasts = zip(*kept, strict=True)
            rows = pa.table(
                [pa.array([stream] * len(kept)), pa.array(firsts), pa.array(lasts)],
                names=["stream", "first", "last"],
            )
            fill(self._connection, f"insert into {NEW}.kept select * from given", rows)
        if cut:
            rows = pa.table([pa.array([stream] * len(cut)), pa.array(cut)], names=["stream", "seq"])
            fill(self._connection, f"insert into {NEW}.cut select * from given", rows)

    def _finish(self, carries: Mapping[str, Carry]) -> None:
        warehouse = self.warehouse
        self._settle()
        self._copy(self._others, self._copied, warehouse.checkpoints)
        others = {table.name for each in self._others for table in each.tables}
        for name, values in warehouse.forgotten:
            if name in others:
                self._forget(name, values)
        for each in self.anew:
            for table in each.tables:
                self._carry_over(each, table)
        with Transaction(self._connection) as connection:
            connection.execute(f"drop table {NEW}.kept")
            connection.execute(f"drop table {NEW}.cut")
            connection.execute(f"insert into {NEW}.checkpoint select * from checkpoint")
            sql = f"insert into {NEW}.projection values (?, ?, ?)"
            anew = {each.name for each in self.anew}
            for each in warehouse.projections:
                if each.name in warehouse.stale and each.name not in anew:
                    continue
                carry = (carries if each.name in anew else warehouse.carries).get(each.name, {})
                version = layout.version(each, personal=warehouse.personal)
                text = msgspec.json.encode(carry).decode()
                connection.execute(sql, [each.name, version, text])
        self._connection.execute(f"checkpoint {NEW}")
        self._connection.execute(f"detach {NEW}")
        self._connection.close()

    def _carry_over(self, projection: Projection, table: Table) -> None:
        """Take what only the old file can know."""
        sql = "select column_name from duckdb_columns() where table_name = ? and database_name = ?"
        found = {
            name
            for (name,) in self._connection.execute(
                sql, [table.name, self.warehouse.path.stem]
            ).fetchall()
        }
        allowed = [
            name
            for name, column in table.columns.items()
            if name in found and (self.warehouse.personal or not column.personal)
        ]
        names = ", ".join(allowed)
        into = f"insert into {NEW}.{table.name} ({names}) select {names} from {table.name}"
        stream = {"stream": projection.stream}
        if projection.carries:
            better = (
                f"seq in (select seq from {NEW}.cut where stream = $stream "
                f"intersect select seq from {table.name})"
            )
            self._connection.execute(f"delete from {NEW}.{table.name} where {better}", stream)
            self._connection.execute(f"{into} where {better}", stream)
        first = f"(select coalesce(min(first), {MOST}) from {NEW}.kept where stream = $stream)"
        self._connection.execute(f"{into} where seq < {first}", stream)
        self._connection.execute(
            f"""
            {into} where seq in (
                select o.seq from (
                    select distinct seq from {table.name} where seq >= {first}
                ) o asof join (
                    select first, last from {NEW}.kept where stream = $stream
                ) k on o.seq >= k.first
                where o.seq > k.last
            )
            """,
            stream,
        )

    def _abandon(self) -> None:
        if self._open:
            with contextlib.suppress(duckdb.Error):  # what failed may have ended it
                self._connection.rollback()
        self._connection.execute(f"detach {NEW}")
        self._connection.close()
        duckfile.discard(self.path)
