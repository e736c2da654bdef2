"""Answers on stdout: JSON for programs, tables of at most 100 columns for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import msgspec

WIDEST = 100
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
