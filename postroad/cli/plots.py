"""Plots on a terminal, in characters alone: they are read without colour."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import Any

from postroad.cli.output import WIDEST

HEIGHT = 11  # lines, with title and axis
TICKS = 6  # labels below


def possible() -> bool:
    """Whether whoever reads stdout sees plots."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return sys.stdout.isatty() and encoding.startswith("utf")


def curve(title: str, labels: Sequence[str], values: Sequence[float]) -> str:
    """A line through values, from left to right; `labels` stand below some of them."""
    import plotext

    signal = plotext.figure.clear().signal(_places(values), list(values), marker="hd")
    signal.lines(active=True)
    low, high = min(values), max(values)
    spare = (high - low) / 10 or 1.0
    return _drawn(title, labels, signal, (max(0.0, low - spare), high + spare))


def bars(title: str, labels: Sequence[str], values: Sequence[float]) -> str:
    """A bar for each value; none is below 0."""
    import plotext

    signal = plotext.figure.clear().bar(_places(values), list(values))
    return _drawn(title, labels, signal, (0.0, max(values) or 1.0))


def _places(values: Sequence[float]) -> list[int]:
    return list(range(len(values)))


def _drawn(title: str, labels: Sequence[str], signal: Any, span: tuple[float, float]) -> str:
    import plotext

    figure = plotext.figure
    columns = min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST)
    figure.plot_size(columns, HEIGHT)
    figure.title(title)
    figure.draw(signal)
    shown = list(range(0, len(labels), max(1, -(-len(labels) // TICKS))))
    figure.ruler(0, 0).ticks(shown, [labels[place] for place in shown])
    marks = [span[0], sum(span) / 2, span[1]]
    figure.ruler(1, 0).lim(*span)
    figure.ruler(1, 0).ticks(
        marks, [f"{mark:,.3g}" if mark < 100 else f"{mark:,.0f}" for mark in marks]
    )
    drawn = plotext.uncolorize(str(figure.build()))
    return "\n".join(line.rstrip() for line in drawn.splitlines())
