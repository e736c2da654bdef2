"""A progress bar for long work, on a terminal only."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress(what: str, total: int = 0) -> Iterator[Callable[..., None]]:
    """A bar on stderr for the length of the block; call what it gives with how far it is now, and
    with the total where that is not known before."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total or None)
        yield lambda reached, of=None: bar.update(task, completed=reached, total=of)
