"""The copy for analysts, opened so that no query can do harm.

It is open for reading, DuckDB may touch no file besides and change no setting, and time and memory
have limits: DuckDB's own, and behind them those of this process, for there are functions that
neither count what they allocate nor end when they are told to.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from postroad.runtime.errors import PostroadError, UsageError

Row = tuple[Any, ...]
BATCH = 1000  # rows
GRACE_SECONDS = 3.0  # for what was told to end, before the process is ended
CONFIG: dict[str, Any] = {
    "threads": 2,
    "enable_external_access": False,
    "temp_directory": "",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,  # names of a query are no variables of ours
}
NICE = 10  # mail goes first

# What DuckDB says, and what that means here.
_NO_FILE = "refused: a query may touch no file, network or extension (--output FILE saves rows)"
_REASONS = (
    (
        r"read-only mode|is not an table|[Cc]an only .* base table",  # the latter of views
        "refused: this is a copy to read; nothing can be changed in it",
    ),
    (r"(?:file system|external).*disabled|Loading external extensions", _NO_FILE),
    (r"Table with name .*[./\\].* does not exist!", _NO_FILE),  # of a.b it names the schema
    (r"configuration has been locked", "refused: settings are fixed; see --timeout and --memory"),
)
_USAGE = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)


@dataclass(frozen=True)
class Limits:
    """Seconds and octets that a query may take."""

    seconds: float = 60.0
    octets: int = 512 * 10**6


@dataclass(frozen=True)
class Result:
    """What a statement found. `types` are those of SQL; `batches` come as they are found."""

    columns: list[str]
    types: list[str]
    batches: Iterator[list[Row]]


class Session:
    """The open copy. Every method raises PostroadError, with what is to be told."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.limits = limits
        self.connection = _connect(path, limits)

    def statements(self, sql: str) -> list[str]:
        """The statements of a text, one by one."""
        try:
            sql.encode()
            return [found.query for found in self.connection.extract_statements(sql)]
        except UnicodeEncodeError:
            raise UsageError("the query is not UTF-8") from None
        except duckdb.Error as error:
            raise self._told(error) from None

    def finds(self, statement: str) -> bool:
        """Whether a statement is there for the rows it finds, and not for those behind it."""
        rows = [duckdb.ExpectedResultType.QUERY_RESULT]
        return any(
            found.expected_result_type == rows
            for found in self.connection.extract_statements(statement)
        )

    @contextlib.contextmanager
    def asked(self, sql: str) -> Iterator[Result]:
        """Run one statement; its result is read within the block, and within the time."""
        with self._limited():
            try:
                yield self._run(sql)
            except (duckdb.Error, RuntimeError, ValueError, OverflowError, MemoryError) as error:
                with contextlib.suppress(duckdb.Error):
                    self.connection.rollback()  # of a transaction that a `begin` opened
                raise self._told(error) from None

    @contextlib.contextmanager
    def arrow(self, sql: str) -> Iterator[Any]:
        """The result of one query as Arrow (RecordBatchReader), as `asked`."""
        with self._limited():
            try:
                found = self.connection.sql(sql)
                if found is None:
                    raise UsageError("this finds no rows")
                yield found.to_arrow_reader(100_000)
            except (duckdb.Error, RuntimeError, ValueError, MemoryError) as error:
                raise self._told(error) from None

    def reopen(self, path: Path) -> None:
        """Open a copy that was made meanwhile."""
        self.connection.close()
        self.connection = _connect(path, self.limits)

    def close(self) -> None:
        """Let go of the copy."""
        self.connection.close()

    def _run(self, sql: str) -> Result:
        cursor = self.connection.execute(sql)
        described: Sequence[Any] = cursor.description or ()
        columns = [str(column[0]) for column in described]
        types = [str(column[1]) for column in described]
        if "TIMESTAMP WITH TIME ZONE" in types:  # DuckDB would want pytz; they are UTC here
            names = [f"c{number}" for number in range(len(types))]
            chosen = ", ".join(
                f"{name}::timestamp" if kind == "TIMESTAMP WITH TIME ZONE" else name
                for name, kind in zip(names, types, strict=True)
            )
            inner = sql.rstrip().removesuffix(";")
            cursor = self.connection.execute(
                f"select {chosen} from ({inner}\n) as t({', '.join(names)})"  # noqa: S608 - theirs
            )
            types = [kind.removesuffix(" WITH TIME ZONE") for kind in types]
        return Result(columns, types, _batches(cursor))

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        done = threading.Event()
        woken, wake = socket.socketpair()
        wake.setblocking(False)
        before = None
        with contextlib.suppress(ValueError):  # signals go to the main thread alone
            before = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        watch = threading.Thread(target=self._watch, args=(woken, done), daemon=True)
        watch.start()
        try:
            yield
        finally:
            done.set()
            wake.send(b"\0")
            watch.join()
            if before is not None:
                signal.set_wakeup_fd(before)
            woken.close()
            wake.close()

    def _watch(self, woken: socket.socket, done: threading.Event) -> None:
        """End what takes too long, and at Ctrl-C: Python would tell the main thread, which is in
        DuckDB and hears nothing."""
        select.select([woken], [], [], self.limits.seconds)
        if done.is_set():
            return
        self.connection.interrupt()
        if done.wait(GRACE_SECONDS):
            return
        print(f"postroad: {self._too_long()}; only with all of this program", file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)

    def _too_long(self) -> str:
        seconds = self.limits.seconds
        return f"the query took more than {seconds:g} s and was ended (longer: --timeout 5m)"

    def _told(self, error: Exception) -> PostroadError:
        text = said(error)
        if isinstance(error, duckdb.InterruptException):
            return PostroadError(self._too_long())
        if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
            limit = self.limits.octets // 10**6
            return PostroadError(
                f"the query needs more than {limit} MB of memory (more: --memory 2GB)"
            )
        for pattern, reason in _REASONS:
            if re.search(pattern, text):
                return PostroadError(reason)
        if isinstance(error, _USAGE):
            return UsageError(text)
        return PostroadError(text)


def _connect(path: Path, limits: Limits) -> duckdb.DuckDBPyConnection:
    config = {**CONFIG, "memory_limit": f"{limits.octets // 1000}KB"}
    try:
        connection = duckdb.connect(str(path), read_only=True, config=config)
        connection.execute("set timezone = 'UTC'")
        connection.execute("set lock_configuration = true")
    except duckdb.Error as error:
        raise PostroadError(
            f"{path} cannot be opened: {said(error)} (it belongs to the user that runs Postroad; "
            "--fresh has it made anew)"
        ) from None
    return connection


def said(error: Exception) -> str:
    """What DuckDB says, without its advice to change settings, and safe for a terminal."""
    from postroad.cli.analysis.values import visible

    text = str(error).partition("\n\nPossible solutions")[0].strip()
    if "Traceback" in text:
        text = "a value cannot be shown; cast it to varchar"
    return visible(text, lines=True)[:2000]


def _batches(cursor: duckdb.DuckDBPyConnection) -> Iterator[list[Row]]:
    if not cursor.description:
        return
    while rows := cursor.fetchmany(BATCH):
        yield rows


def bind(octets: int) -> None:
    """Bound the memory of this process, whose queries may have `octets`: what it has now, and twice
    that, for rows are held twice on their way out. Where the system cannot, DuckDB's own limit
    holds."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        os.nice(NICE)
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        found = re.search(r"^VmData:\s+(\d+) kB", status, re.MULTILINE)
        if found is not None:
            most = int(found[1]) * 1024 + 2 * octets
            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            if hard in (resource.RLIM_INFINITY, -1) or most < hard:
                resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
