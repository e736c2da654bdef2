"""What was typed and cannot be: a wrong option, a value that is none of its own, in plain words."""

from __future__ import annotations

from typing import Any

import typer


def told(error: typer.TyperException) -> str:
    """What is wrong, and where to read what is right; empty where the help was printed instead."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "postroad"
    message = _value(error) or error.format_message()
    return f"{message} (see: {path} --help)" if message else ""


def _value(error: typer.TyperException) -> str:
    """Of a value that is wrong: which, and what it must be. Empty for any other mistake."""
    found = getattr(error.__cause__, "errors", None)  # pydantic's, which typer reads values with
    param: Any = getattr(error, "param", None)
    if found is None or param is None:
        return ""
    name = param.opts[0] if param.opts else param.name
    expected, value = _expected(param), found()[0]["input"] or "(empty)"
    return f"{name} {value}: must be {expected}" if expected else ""


def _expected(param: Any) -> str:
    kind = param.type_descriptor
    if kind.choices:
        return f"one of {', '.join(map(str, kind.choices))}"
    sort = {int: "whole number", float: "number"}.get(kind.annotation)
    if sort is None:
        return ""
    least, most = kind.parameter_info.min, kind.parameter_info.max
    bounds = f" from {least:,} to {most:,}" if least is not None and most is not None else ""
    example = "" if param.default is None else f", such as {param.default}"
    return f"a {sort}{bounds}{example}"
