"""Help pages show what was written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from postroad.cli.app import app


def commands(command: Any, name: str = "postroad", parent: Any = None) -> Iterator[Any]:
    """The context of every command, down to the last."""
    context = command.make_context(name, [], parent=parent, resilient_parsing=True)
    yield context
    for name_below, below in getattr(command, "commands", {}).items():
        yield from commands(below, name_below, context)


COMMANDS = list(commands(get_command(app)))


@pytest.mark.parametrize("context", COMMANDS, ids=lambda each: each.command_path)
def test_every_bracket_of_a_help_text_is_shown(
    context: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """`[[source]]` is the name of a section, and no markup that is obeyed and left out."""
    command = context.command
    below = getattr(command, "commands", {}).values()
    texts = [command.help or "", command.epilog or ""]
    texts += [each.help or "" for each in command.params]
    texts += [(each.help or "").partition("\n\n")[0] for each in below]
    context.get_help()
    shown = re.sub(r"[\s│]+", "", capsys.readouterr().out)
    for word in " ".join(texts).split():
        assert word in shown or not set("[]\\").intersection(word)
