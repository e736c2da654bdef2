"""A DuckDB file that one process owns: its lock, its leftovers, and a step that is whole or none.

The database is the position: nothing is acknowledged, so a kill between two commits costs nothing
but folding a batch again. DuckDB lets one process write a file; a lock file beside it says so
before DuckDB does, and who it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from pathlib import Path
from typing import Any

import duckdb

from projections.watched import Damaged

_PID_OCTETS = 20
_FULL = ("no space left", "quota exceeded", "file too large")
_CORRUPT = ("corrupt", "checksum", "not a valid duckdb database")


class StoreBusy(Exception):
    """Another process has this file open; `pid` is its id, 0 where it is not known."""

    def __init__(self, path: Path, pid: int = 0) -> None:
        super().__init__(path)
        self.path = path
        self.pid = pid


class CheckpointMoved(Exception):
    """The rows were folded after another position than the file stands at; nothing was stored."""


class Lock:
    """The right to a file, for as long as this object is not closed; the system takes it back from
    who dies. Raises StoreBusy. With `shared`, several may read, and nobody writes meanwhile."""

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        self._file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(self._file, _PID_OCTETS, 0).strip()
            os.close(self._file)
            raise StoreBusy(path, int(pid) if pid.isdigit() else 0) from None
        if not shared:
            with contextlib.suppress(OSError):  # a full disk: then it has no name
                os.ftruncate(self._file, 0)
                os.pwrite(self._file, b"%d\n" % os.getpid(), 0)

    def close(self) -> None:
        """Give it back."""
        os.close(self._file)


class Transaction:
    """Commit at the end of the block, roll back where it raises."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        return self.connection.begin()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.connection.commit()
        else:
            with contextlib.suppress(duckdb.Error):  # what is to be told is why it failed
                self.connection.rollback()


def move(
    connection: duckdb.DuckDBPyConnection, path: Path, stream: str, after: int, upto: int
) -> None:
    """Take the checkpoint of a stream from `after` to `upto`. Raises CheckpointMoved where it does
    not stand there."""
    moved = connection.execute(
        "update checkpoint set seq = ? where stream = ? and seq = ?", [upto, stream, after]
    ).fetchone()
    if moved != (1,):
        raise CheckpointMoved(f"{stream} does not stand at {after} in {path.name}")


def attempt(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Execute what changes no row, if that can be: who writes next says what is wrong."""
    with contextlib.suppress(duckdb.Error):
        connection.execute(sql)


def positions(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """The checkpoint of each stream."""
    return dict(connection.execute("select stream, seq from checkpoint").fetchall())


def replace(path: Path, new: Path) -> None:
    """Put a closed file in the place of another that is closed, too."""
    new.chmod(0o600)
    Path(f"{path}.wal").unlink(missing_ok=True)
    remove_spilled(path)
    new.replace(path)


def remove(path: Path) -> None:
    """Take away a file and all that belongs to it."""
    discard(path)
    remove_leftovers(path)


def discard(path: Path) -> None:
    """Take away a closed file and its log."""
    for ending in ("", ".wal"):
        Path(f"{path}{ending}").unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """What a killed process left beside a file."""
    discard(Path(f"{path}.new"))
    remove_spilled(path)


def remove_spilled(path: Path) -> None:
    """What a large query had no memory for; a killed process leaves it."""
    shutil.rmtree(f"{path}.tmp", ignore_errors=True)


def quoted(path: Path) -> str:
    """A path as SQL has it."""
    return "'" + str(path).replace("'", "''") + "'"


def connect(path: Path, config: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """Open a file, or make it. Raises duckdb.Error."""
    return duckdb.connect(str(path), config=config)


def beside(path: Path, ending: str) -> Path:
    """A name beside a file that is free."""
    aside = Path(f"{path}.{ending}")
    number = 1
    while aside.exists():  # another of this second
        number += 1
        aside = Path(f"{path}.{ending}-{number}")
    return aside


def move_aside(path: Path, ending: str) -> Path | None:
    """Move a closed file and its log out of the way; where it lies then, None where it was gone:
    its log is of no use without it, and may hold addresses."""
    aside = beside(path, ending)
    log = Path(f"{path}.wal")
    if log.exists():
        log.replace(f"{aside}.wal")
    try:
        path.replace(aside)
    except FileNotFoundError:
        Path(f"{aside}.wal").unlink(missing_ok=True)
        return None
    return aside


def remove_aside(path: Path) -> None:
    """Take away what was ever moved out of the way of a file."""
    for aside in path.parent.glob(f"{path.name}.*-*"):
        aside.unlink(missing_ok=True)


def is_locked(error: Exception) -> bool:
    """Whether another program has the file open, such as DuckDB's own."""
    return "lock on file" in str(error)


def ailment(error: Exception) -> str:
    """What an error of DuckDB means for the file: `full` (there is no room on its disk), `corrupt`
    (it is damaged), `broken` (it must be opened anew, and may be damaged), or "" (it is well)."""
    if isinstance(error, Damaged):
        return "corrupt"
    text = str(error).lower()
    if any(word in text for word in _FULL):
        return "full"
    if any(word in text for word in _CORRUPT) or isinstance(error, duckdb.SerializationException):
        return "corrupt"
    broken = duckdb.FatalException, duckdb.InternalException, duckdb.IOException
    return "broken" if isinstance(error, broken) else ""


def told(error: BaseException) -> str:
    """What DuckDB says, in one short line."""
    return " ".join(str(error).split())[:200]
