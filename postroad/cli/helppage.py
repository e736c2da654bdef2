"""Help pages on which every text stands as it was written: `[[source]]` is no markup in them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from typer.core import TyperCommand, TyperGroup


class CommandPage(TyperCommand):
    """The help of a command."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print it."""
        with _escaped(self, *self.params):
            super().format_help(ctx, formatter)


class GroupPage(TyperGroup):
    """The help of a noun, and of the whole command line: with a line for each command of it."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print it."""
        with _escaped(self, *self.params, *self.commands.values()):
            super().format_help(ctx, formatter)


@contextlib.contextmanager
def _escaped(*parts: Any) -> Iterator[None]:
    """These parts of a page with their texts as markup that shows them."""
    from rich.markup import escape

    places = [(part, name) for part in parts for name in ("help", "short_help", "epilog")]
    texts = [(part, name, text) for part, name in places if (text := getattr(part, name, None))]
    for part, name, text in texts:
        setattr(part, name, escape(text))
    yield
    for part, name, text in texts:
        setattr(part, name, text)
