"""The demo on the screen: each step with a check mark and its time, then tables. Plain text
where it is no terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from postroad.cli.output import WIDEST

GOOD, BAD = "✓", "✗"
NAME = 11  # characters


class Step:
    """A step under way; `says` what came of it, `failed` tells that it is not as it should be."""

    def __init__(self) -> None:
        self.says = ""
        self.failed = False


class Screen:
    """Prints nothing at all unless `shown`."""

    def __init__(self, *, shown: bool) -> None:
        self._console = Console(highlight=False, quiet=not shown)
        if not sys.stdout.isatty() or self._console.width > WIDEST:
            self._console.width = WIDEST

    @contextlib.contextmanager
    def step(self, name: str, doing: str) -> Iterator[Step]:
        """One step: a spinner while it lasts, on a terminal; then a line."""
        step, began = Step(), time.monotonic()
        spinner = self._console.status(doing) if self._console.is_terminal else None
        try:
            with spinner or contextlib.nullcontext():
                yield step
        except BaseException:
            step.failed = True
            raise
        finally:
            self._line(step, name, time.monotonic() - began)

    def heading(self, text: str) -> None:
        """A heading, with an empty line above."""
        self._console.print()
        self._console.print(Text(text, style="bold"))

    def text(self, text: str) -> None:
        """A line as it is, folded at the edge."""
        self._console.print(Text(text))

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Names and values, a line each."""
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True, style="bold")
        table.add_column(overflow="fold")
        for name, value in pairs:
            table.add_row(f"  {name}", Text(value))
        self._console.print(table)

    def code(self, text: str) -> None:
        """Lines to copy, never folded."""
        for line in text.splitlines():
            self._console.print(Text(f"  {line}"), soft_wrap=True)

    def _line(self, step: Step, name: str, seconds: float) -> None:
        mark, style = (BAD, "bold red") if step.failed else (GOOD, "bold green")
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(style=style)
        table.add_column(width=NAME)
        table.add_column(ratio=1, overflow="fold")
        table.add_column(justify="right", style="dim")
        table.add_row(mark, name, Text(step.says), f"{seconds:.2f} s")
        self._console.print(table)
