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


class QueryPage(CommandPage):
    """The help of a command whose argument is SQL, which may begin with a comment: `-- who ...`
    has a space or a new line where an option has its name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read what was typed; a comment is no option."""
        return super().parse_args(ctx, [f"\n{arg}" if _comment(arg) else arg for arg in args])


class GroupPage(TyperGroup):
    """The help of a noun, and of the whole command line: with a line for each command of it."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print it."""
        with _escaped(self, *self.params, *self.commands.values()):
            super().format_help(ctx, formatter)


class NamePage(GroupPage):
    """That of a noun where the name of one thing may stand in the place of a command: it is shown
    then, as by `show`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that was typed."""
        if args and args[0] not in self.commands:
            args = ["show", *args]
        return super().resolve_command(ctx, args)


def _comment(arg: str) -> bool:
    return arg.startswith("--") and any(map(str.isspace, arg.partition("=")[0]))


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
