"""What analysts open: a copy of the analytics that nobody writes to, and its tables as Parquet.

    state_dir/analytics/postroad.duckdb
    state_dir/analytics/parquet/<table>/<day>.parquet

The file is copied as it lies on disk, which takes a thirtieth of the time that DuckDB would need
to copy its tables. That is safe: what the headers of a DuckDB file lead to stays as it is until
the next checkpoint writes another header, or a crash could not be survived. So the writer is held
up for a checkpoint alone; and where the headers have changed when the copy is done, it is made
once more.

It runs as a program of its own, so that the writer's lock stays (closing any handle of a file gives
back a process's POSIX locks on it), and memory and processor are not the writer's.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import math
import os
import shutil
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from projections import duckfile, parquet
from projections.watched import HEADERS

FOLDER = "analytics"  # in state_dir
NAME = "postroad.duckdb"
PARQUET = "parquet"
ABOUT = "about(as_of timestamp, stream varchar, seq ubigint)"
INTERNAL = ("checkpoint", "projection")  # tables of the file that say nothing to analysts
CONFIG: dict[str, Any] = {
    "threads": 1,
    "memory_limit": "150MB",
    "preserve_insertion_order": True,
    "temp_directory": "",
}
_PIECE = 1 << 20
_TRIES = 5
_SPARE = 64 << 20  # octets that are left free on the disk for mail, or
_SHARE = 10  # its tenth, where that is less


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done. `clean`: nothing of rows that were taken out of `live` may be left in the
    copy, where it lies in room that DuckDB only marks as free."""

    live: str
    folder: str
    as_of: datetime
    clean: bool = False


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What was done: octets of the copy, Parquet files written, seconds. Or why it was not, and
    whether the copy turned out to be `damaged`."""

    octets: int = 0
    files: int = 0
    seconds: float = 0.0
    error: str = ""
    damaged: bool = False


def take(job: Job) -> Taken:
    """Copy, and export. The copy that was there stays until the new one is whole; so does each
    Parquet file. Raises OSError and duckdb.Error."""
    started = time.monotonic()
    folder = Path(job.folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(folder):
        new = folder / f"{NAME}.new"
        _discard(new)
        try:
            _copy(Path(job.live), new)
            if job.clean:
                _compact(new)
            fingerprint = _describe(new, job.as_of)
            octets = new.stat().st_size
            new.replace(folder / NAME)
        finally:
            _discard(new)
        with _opened(folder / NAME, read_only=True) as connection:
            files = parquet.export(connection, folder / PARQUET, fingerprint)
    return Taken(octets=octets, files=files, seconds=time.monotonic() - started)


@contextlib.contextmanager
def _alone(folder: Path) -> Any:
    """One at a time: another may be left of a projector that was killed. Raises OSError."""
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _discard(path: Path) -> None:
    duckfile.discard(path)
    duckfile.discard(Path(f"{path}.whole"))


def _copy(live: Path, new: Path) -> None:
    """Copy a file that has just been checkpointed, and that somebody may be writing to."""
    for _ in range(_TRIES):
        with live.open("rb") as source, new.open("wb") as target:
            size = os.fstat(source.fileno()).st_size
            _make_sure_of_room(new.parent, size)
            headers = os.pread(source.fileno(), HEADERS, 0)
            _copy_octets(source.fileno(), target.fileno(), size)
            if os.pread(source.fileno(), HEADERS, 0) == headers:
                return
    raise OSError(errno.EAGAIN, "the file was checkpointed again and again")


def _make_sure_of_room(folder: Path, size: int) -> None:
    disk = shutil.disk_usage(folder)
    spare = min(_SPARE, disk.total // _SHARE)
    if disk.free < size + spare:
        needs, left, free = (math.ceil(octets / (1 << 20)) for octets in (size, spare, disk.free))
        raise OSError(
            errno.ENOSPC,
            f"the copy needs {needs} MB and leaves {left} MB for mail, {free} MB are free",
        )


def _copy_octets(source: int, target: int, size: int) -> None:
    """By the kernel, where the file system can: some only share the blocks."""
    done = 0
    with contextlib.suppress(OSError, AttributeError):  # across file systems, or not of Linux
        while done < size:
            copied = os.copy_file_range(source, target, size - done)
            if not copied:
                return
            done += copied
        return
    os.lseek(source, done, os.SEEK_SET)
    os.lseek(target, done, os.SEEK_SET)
    while done < size and (piece := os.read(source, min(_PIECE, size - done))):
        done += os.write(target, piece)


def _compact(new: Path) -> None:
    """Write a file anew, with what its tables hold and nothing else."""
    whole = Path(f"{new}.whole")
    with _opened(new) as connection:
        (name,) = connection.execute("select current_database()").fetchone() or ("",)
        connection.execute(f"attach {duckfile.quoted(whole)} as whole")
        connection.execute(f'copy from database "{name}" to whole')
        connection.execute("detach whole")
    whole.replace(new)


def _describe(new: Path, as_of: datetime) -> str:
    """Say in the copy what it is of; a text that changes with what its tables are made by."""
    with _opened(new) as connection:
        rows = connection.execute("select stream, seq, origin from checkpoint").fetchall()
        made = connection.execute("select name, version from projection order by all").fetchall()
        shape = connection.execute(
            "select table_name, column_name, data_type from duckdb_columns() where not internal"
            " order by table_name, column_index"
        ).fetchall()
        connection.execute(f"create or replace table {ABOUT}")
        connection.execute(
            "insert into about select ?, stream, seq from checkpoint order by stream",
            [as_of.replace(tzinfo=None)],
        )
        for table in INTERNAL:
            connection.execute(f"drop table {table}")
        connection.execute("checkpoint")
    told = repr((sorted((stream, origin) for stream, _, origin in rows), made, shape))
    return hashlib.sha256(told.encode()).hexdigest()


def _opened(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(path), read_only=read_only, config=CONFIG)


def told(error: Exception) -> str:
    """Why it was not done, in one line."""
    if isinstance(error, OSError):
        reason = os.strerror(error.errno) if error.errno else str(error)
        return f"{reason} ({error.strerror})" if error.strerror not in (None, reason) else reason
    return " ".join(str(error).split())[:300]


def main() -> None:
    """Do the job that the argument is (JSON); what came of it on stdout, and 1 where it failed."""
    os.umask(0o077)
    job = msgspec.json.decode(sys.argv[1], type=Job)
    try:
        taken = take(job)
    except (OSError, duckdb.Error) as error:
        taken = Taken(error=told(error), damaged=duckfile.ailment(error) == "corrupt")
    sys.stdout.buffer.write(msgspec.json.encode(taken))
    sys.exit(1 if taken.error else 0)


if __name__ == "__main__":
    main()
