"""A result for people, in at most 100 columns: a table where it fits, else a record for each row;
or bars."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Iterator, Sequence

from postroad.cli.analysis.session import Result, Row
from postroad.cli.analysis.values import shown, visible
from postroad.cli.output import WIDEST, counted

ROWS = 100  # that are shown, unless more are asked for
COUNTED = 1_000_000  # rows that are counted besides, at most
NARROWEST = 14  # columns of a cell that is folded
GAP = 2
BAR = 48
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DOUBLE", "FLOAT", "DECIMAL")


def print_result(result: Result, rows: int | None) -> None:
    """Print the first `rows` (None for all), and how many more there are."""
    kept, more = first(result.batches, rows)
    print_rows(result.columns, result.types, kept, more)
    if more:
        many = f"{more:,}" if more <= COUNTED else f"more than {COUNTED:,}"
        print(f"and {many} more (--all shows them)")


def print_rows(
    columns: Sequence[str], types: Sequence[str], rows: Sequence[Row], more: int = 0
) -> None:
    """Print rows under their names, as a table or as records; `more` are not shown."""
    if not columns:
        print("done")
        return
    names = [visible(name) for name in columns]
    cells = [[shown(value) for value in row] for row in rows]
    if len(cells) == 1 and len(names) == 2 and names[0] == "explain_key":
        print(rows[0][1])  # a plan is drawn in lines of its own
    elif _fits(names, cells):
        _table(names, types, cells)
    else:
        _records(names, cells)
    if not (rows or more):
        print("no rows")


def first(batches: Iterator[list[Row]], most: int | None) -> tuple[list[Row], int]:
    """The first rows, and how many follow; those are counted up to `COUNTED`, and one more."""
    kept: list[Row] = []
    more = 0
    for batch in batches:
        room = len(batch) if most is None else most - len(kept)
        kept += batch[: max(room, 0)]
        more += len(batch) - max(min(room, len(batch)), 0)
        if more > COUNTED:
            break
    return kept, more


def print_bars(result: Result, rows: int | None) -> None:
    """Print a bar for each row: the first column is its name, the first number behind it its
    length. Raises UsageError where there is none."""
    from postroad.runtime.errors import UsageError

    at = next(
        (
            n
            for n, kind in enumerate(result.types)
            if n and kind.upper().removeprefix("U").startswith(_NUMBERS)
        ),
        None,
    )
    if at is None:
        raise UsageError("--plot wants a name in the first column and a number in another")
    kept, more = first(result.batches, rows)
    names = [_short(shown(row[0])) for row in kept]
    values = [float(row[at] or 0) for row in kept]
    bars = list(_bars(values))
    wide = max(map(len, names), default=0)
    print(f"{visible(result.columns[0])}, {visible(result.columns[at])}")
    for name, bar, row in zip(names, bars, kept, strict=True):
        print(f"{name:<{wide}}  {bar} {shown(row[at])}")
    if more:
        print(f"and {counted(more, 'row')} more (--all shows them)")


def _bars(values: Sequence[float]) -> Iterator[str]:
    """Bars of `BAR` columns in all, to the left of zero what is below it; none for what is no
    number, or without end."""
    finite = [value for value in values if math.isfinite(value)]
    least, most = min(finite, default=0.0), max(finite, default=0.0)
    span = max(most, 0.0) - min(least, 0.0) or 1.0
    before = round(max(-least, 0.0) / span * BAR)
    for value in values:
        if not math.isfinite(value):
            yield " " * before
        elif value < 0:
            yield ("█" * round(-value / span * BAR) or "▕").rjust(before)
        else:
            yield " " * before + ("█" * round(value / span * BAR) or ("▏" if value else ""))


def _is_number(kind: str) -> bool:
    return kind.removeprefix("U").startswith(_NUMBERS) and "[" not in kind


def _short(text: str) -> str:
    text = text.removesuffix(" 00:00:00")  # of a day
    return text if len(text) <= 40 else f"{text[:39]}…"


def _width() -> int:
    from rich.console import Console

    return min(Console().width, WIDEST) if sys.stdout.isatty() else WIDEST


def _fits(names: Sequence[str], cells: Sequence[Sequence[str]]) -> bool:
    from rich.cells import cell_len

    needed = [
        max(cell_len(name), min(max((cell_len(row[at]) for row in cells), default=0), NARROWEST))
        for at, name in enumerate(names)
    ]
    return sum(needed) + GAP * (len(needed) - 1) <= _width()


def _table(names: Sequence[str], types: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=_width())
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
    for name, kind in itertools.zip_longest(names, types, fillvalue=""):
        number = _is_number(kind)
        table.add_column(
            Text(name), overflow="fold", justify="right" if number else "left", no_wrap=number
        )
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table)


def _records(names: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=_width())
    for number, row in enumerate(cells, 1):
        print(f"── {number} ──")
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, GAP, 0, 0))
        table.add_column(style="bold", overflow="fold", max_width=40)
        table.add_column(overflow="fold")
        for name, value in zip(names, row, strict=True):
            table.add_row(Text(name), Text(value))
        console.print(table)
