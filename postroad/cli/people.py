"""People in a CSV file: who is to be imported, and which lines are wrong. Pure.

The first line names the columns: `email`, and perhaps `display_name` (or `name`) and
`delivery_mode`; others are ignored. Which of comma, semicolon, tab and bar separates is read
from that line alone, so that nothing in a name can change it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

import msgspec

from postroad.runtime.errors import UsageError
from schemas.commands import ImportRow
from schemas.membership import DeliveryMode

SEPARATORS = ",;\t|"
LONGEST_FIELD = 10_000  # characters; where a quote is never closed, this is how far it reaches
EMAIL = "email"
NAMES = ("display_name", "name")
MODE = "delivery_mode"

BadLine = tuple[int, str]  # number of the line from 1, and what is wrong with it


def lines_of(data: bytes) -> list[str]:
    """The lines of a file in UTF-8, or in UTF-16 as spreadsheets write it with a mark.

    Raises UsageError for any other encoding.
    """
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise UsageError("the file is not UTF-8 text; save it as CSV in UTF-8") from None
    return list(io.StringIO(text, newline=None))


def people(lines: Sequence[str]) -> Iterator[ImportRow | BadLine]:
    """Each person of the file, or what is wrong with a line; empty lines are skipped.

    Raises UsageError where the file has no heading with a column `email`.
    """
    first, columns, separator = _heading(lines)
    for line, record in _records(lines, first, separator):
        if isinstance(record, str):
            yield line, record
        elif any(field.strip() for field in record):
            yield _person(line, record, columns)


def _person(line: int, record: Sequence[str], columns: Mapping[str, int]) -> ImportRow | BadLine:
    def field(name: str) -> str:
        at = columns.get(name, len(record))
        return " ".join(record[at].split()) if at < len(record) else ""

    if not field(EMAIL):
        return line, "there is no email in this line"
    mode = field(MODE) or "regular"
    if mode not in get_args(DeliveryMode):
        return line, f"delivery_mode {mode!r} is not one of {', '.join(get_args(DeliveryMode))}"
    return ImportRow(
        line=line,
        address=field(EMAIL),
        display_name=next(filter(None, map(field, NAMES)), ""),
        delivery_mode=msgspec.convert(mode, DeliveryMode),
    )


def _heading(lines: Sequence[str]) -> tuple[int, Mapping[str, int], str]:
    """Index of the line after the heading, columns by name, and the separator."""
    at = next((at for at, line in enumerate(lines) if _says_something(line)), None)
    if at is None:
        raise UsageError(
            "the file is empty; its first line must name the columns, one of them email"
        )
    for separator in SEPARATORS:
        names = [
            name.strip().lower() for name in next(csv.reader([lines[at]], delimiter=separator))
        ]
        if EMAIL in names:
            return at + 1, {name: names.index(name) for name in names}, separator
    raise UsageError(
        f"the first line names no column `email`: {lines[at].strip()[:60]!r}; "
        "add a first line such as: email,display_name"
    )


def _says_something(line: str) -> bool:
    return bool(line.strip()) and not line.lower().startswith("sep=")  # a hint for spreadsheets


def _records(
    lines: Sequence[str], first: int, separator: str
) -> Iterator[tuple[int, list[str] | str]]:
    """Number of its first line and fields of each record, or what is wrong with it.

    After a wrong one, reading goes on with the next line: a stray quote costs one line.
    """
    csv.field_size_limit(LONGEST_FIELD)
    begin = first
    while begin < len(lines):
        rest = (lines[at] for at in range(begin, len(lines)))
        reader = csv.reader(rest, delimiter=separator, strict=True)
        offset = begin
        try:
            for record in reader:
                yield begin + 1, record
                begin = offset + reader.line_num
        except csv.Error as error:
            yield begin + 1, f"not readable as CSV: {error}"
            begin += 1
