"""Every command, made once for all that are forked: whoever imports this has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from postroad.cli import frame
from postroad.cli.app import app


def parameters(command: Any) -> Iterator[Any]:
    """Those of a command, and of all below it."""
    yield from command.params
    for below in getattr(command, "commands", {}).values():
        yield from parameters(below)


TREE = frame.tree(app)
for each in parameters(TREE):
    if hasattr(each, "get_runtime_param"):
        each.get_runtime_param()
