"""Answers on stdout: JSON for programs, tables of at most 100 columns for people. What is wrong,
or worth knowing besides, on stderr."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from rich.table import Table

WIDEST = 100
UNITS = ((86_400, "days"), (3600, "h"), (60, "min"), (1, "s"))
SHORT_ID = 16  # digits of a mail's id: the millisecond of arrival and 12 random bits
UNTIMED = 24  # of one without a time, which begins with zeros: 40 random bits
SHOWN = 20  # people of each kind; all of them with --json


def print_json(data: object) -> None:
    """Print plain data, msgspec structs, datetimes and paths as one indented JSON document."""
    encoded = msgspec.json.encode(data, enc_hook=str)
    print(msgspec.json.format(encoded, indent=2).decode())


def whole(rows: Iterable[msgspec.Struct]) -> list[dict[str, Any]]:
    """Rows with every field, also where it holds its default: programs read these names."""
    return [{name: getattr(row, name) for name in row.__struct_fields__} for row in rows]


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, whole: int = 0
) -> None:
    """Print rows under their headings; cells fold where the terminal (or 100 columns) ends, but
    never in the first `whole` columns.

    Cells are shown as they are: no markup in them is obeyed.
    """
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            raise  # noqa: PLE0704  rich would exit with 1; `Call.judge` knows the code

    console = Ours(highlight=False)
    console.width = widest()
    console.print(table(columns, rows, whole=whole))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, whole: int = 0) -> Table:
    """The same for whoever prints it in a place of their own."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for at, column in enumerate(columns):
        made.add_column(column, overflow="fold", no_wrap=at < whole)
    for row in rows:
        made.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    return made


def print_wrapped(text: str, indent: str = "") -> None:
    """Print a sentence, in lines of at most 100 columns; those behind the first are indented
    further."""
    print(_wrapped(text, indent, WIDEST))


def complain(text: str) -> None:
    """Say what is wrong on stderr: in lines as wide as the terminal, at most 100 columns, and as it
    is for whatever reads a pipe. Lines of its own stay."""
    text = f"postroad: {text}"
    if sys.stderr.isatty():
        width = min(os.get_terminal_size(sys.stderr.fileno()).columns or WIDEST, WIDEST)
        lines = text.splitlines()
        text = "\n".join(
            _wrapped(line.lstrip(), line[: len(line) - len(line.lstrip())], width) for line in lines
        )
    print(text, file=sys.stderr)


def widest() -> int:
    """Columns of a line on stdout: of the terminal, at most 100."""
    return min(shutil.get_terminal_size().columns, WIDEST) if sys.stdout.isatty() else WIDEST


def shortened(text: str, width: int) -> str:
    """Text in at most so many characters; where some are left out it ends in an ellipsis."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def short(id_: str, among: Iterable[str] = ()) -> str:
    """The first digits of a mail's id: as many as tell it apart from the others, at least 16."""
    digits = SHORT_ID
    for other in among:
        while other != id_ and digits < len(id_) and other[:digits] == id_[:digits]:
            digits += 1
    timed = id_[:12].strip("0")
    return id_[:digits] if timed else id_[: max(digits, UNTIMED)]


def counted(count: int, one: str, many: str = "") -> str:
    """1 recipient, 2 recipients, 1,000 recipients."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _wrapped(text: str, indent: str, width: int) -> str:
    return textwrap.fill(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def moment(at: datetime | None) -> str:
    """A time to come, for a person: at 12:31:04 UTC, in 24 min."""
    from postroad.runtime.clock import now

    if at is None:
        return "at a time that is not told"
    left = (at - now()).total_seconds()
    if left <= 0:
        return "now"
    unit, name = next((unit, name) for unit, name in UNITS if left >= 2 * unit or unit == 1)
    date = f"{at:%d %B} " if left >= 43_200 else ""
    return f"at {date}{at:%H:%M:%S} UTC, in {left / unit:.0f} {name}"


def away_words(away: Sequence[object]) -> str:
    """What a summary says of those who are not put back; empty where there is nobody."""
    if not away:
        return ""
    left = "left since and stays" if len(away) == 1 else "left since and stay"
    return f"; {len(away):,} {left} away (--again takes them back)"
