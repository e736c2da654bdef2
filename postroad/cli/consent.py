"""Whether a person agrees to what a command is about to do."""

from __future__ import annotations

import sys

import typer

from postroad.cli.frame import Call
from postroad.cli.output import complain


def can_ask(call: Call) -> bool:
    """Whether somebody is there who could answer."""
    return sys.stdin.isatty() and not call.json


def agreed(call: Call, question: str, *, yes: bool) -> bool:
    """Whether to go on; where nobody can be asked, only with --yes."""
    if yes:
        return True
    if can_ask(call):
        return typer.confirm(question)
    complain(f"{question} Add --yes: nobody can be asked here")
    return False
