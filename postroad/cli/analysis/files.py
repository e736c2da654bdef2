"""Results for programs: CSV, JSON and Parquet, on stdout or into a file that is whole or not there.

CSV holds values as they are. A spreadsheet obeys a cell that begins with `=`, `+`, `-` or `@`: have
it read such a file as text.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from postroad.cli.analysis.session import Result, Row, Session
from postroad.cli.analysis.values import as_csv, as_json, plain, unlike, visible
from postroad.runtime.errors import PostroadError

_QUOTED = re.compile(r'[",\r\n]')
FORMATS = ("table", "csv", "json", "parquet")


def write(session: Session, sql: str, kind: str, output: Path | None, limit: int | None) -> int:
    """Write what a query finds; how many rows that is. Raises PostroadError."""
    with _opened(output) as file:
        if kind == "parquet":
            return _parquet(session, sql, file, limit)
        with session.asked(sql) as result:
            return (_csv if kind == "csv" else _json)(result, file, limit)


@contextlib.contextmanager
def _opened(output: Path | None) -> Iterator[IO[str]]:
    if output is None:
        yield sys.stdout
        return
    new = output.with_name(f"{output.name}.new")
    try:
        with new.open("w", encoding="utf-8", newline="") as file:
            yield file
        new.replace(output)
    except OSError as error:
        raise PostroadError(f"{output} cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)


def _rows(result: Result, limit: int | None) -> Iterator[Row]:
    left = limit
    for batch in result.batches:
        yield from batch if left is None else batch[:left]
        if left is not None:
            left -= len(batch)
            if left <= 0:
                return


def _csv(result: Result, file: IO[str], limit: int | None) -> int:
    seen = visible if file.isatty() else str
    file.write(_line([seen(name) for name in result.columns]))
    count = 0
    for count, row in enumerate(_rows(result, limit), 1):  # noqa: B007 - it is what we return
        file.write(_line([None if value is None else seen(as_csv(value)) for value in row]))
    return count


def _line(fields: Sequence[str | None]) -> str:
    """A line of CSV: null is nothing, an empty text is quoted; alone in its line, so is null, for
    an empty line is no row to most who read it."""
    if len(fields) == 1:
        return f"{_field(fields[0] or '')}\n"
    return ",".join("" if field is None else _field(field) for field in fields) + "\n"


def _field(text: str) -> str:
    if text and not _QUOTED.search(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def _json(result: Result, file: IO[str], limit: int | None) -> int:
    names = unlike(result.columns)
    count = 0
    for count, row in enumerate(_rows(result, limit), 1):
        fields = dict(zip(names, map(plain, row), strict=True))
        file.write(("[\n  " if count == 1 else ",\n  ") + as_json(fields))
    file.write("\n]\n" if count else "[]\n")
    return count


def _parquet(session: Session, sql: str, file: IO[str], limit: int | None) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    count = 0
    with session.arrow(sql) as reader:
        names = unlike(reader.schema.names)
        named = [field.with_name(name) for field, name in zip(reader.schema, names, strict=True)]
        binary = getattr(file, "buffer")  # noqa: B009 - a text file's own
        with parquet.ParquetWriter(binary, pa.schema(named), compression="zstd") as writer:
            for batch in reader:
                some = batch if limit is None else batch.slice(0, limit - count)
                writer.write_batch(some.rename_columns(names))
                count += some.num_rows
                if limit is not None and count >= limit:
                    break
    return count
