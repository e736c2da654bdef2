"""Answers on stdout: JSON for programs, tables of at most 100 columns for people."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

WIDEST = 100
UNITS = ((86_400, "days"), (3600, "h"), (60, "min"), (1, "s"))
SHORT_ID = 16  # digits of a mail's id: the millisecond of arrival and 12 random bits


def print_json(data: object) -> None:
    """Print plain data, msgspec structs, datetimes and paths as one indented JSON document."""
    encoded = msgspec.json.encode(data, enc_hook=str)
    print(msgspec.json.format(encoded, indent=2).decode())


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, whole: int = 0
) -> None:
    """Print rows under their headings; cells fold where the terminal (or 100 columns) ends, but
    never in the first `whole` columns.

    Cells are shown as they are: no markup in them is obeyed.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.width = min(console.width, WIDEST) if sys.stdout.isatty() else WIDEST
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for at, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=at < whole)
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console.print(table)


def print_wrapped(text: str, indent: str = "") -> None:
    """Print a sentence, in lines of at most 100 columns; those behind the first are indented
    further."""
    print(
        textwrap.fill(
            text,
            WIDEST,
            initial_indent=indent,
            subsequent_indent=indent + "  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
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
