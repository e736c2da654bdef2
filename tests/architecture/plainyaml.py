"""YAML as our files in deploy/ are written: mappings, lists, words and numbers; nothing clever.

What it does not know it refuses, so that a file which it reads says what it seems to.
"""

from __future__ import annotations

import re
from typing import Any

_LINE = re.compile(r"( *)(- )?(?:([A-Za-z_][\w./-]*):(?: |$))?(.*)")


def load(text: str) -> Any:
    """The document. Raises ValueError for what is not of this plain kind."""
    lines = [bare for line in text.splitlines() if (bare := _uncommented(line)).strip()]
    value, rest = _block(lines, 0)
    if rest:
        raise ValueError(f"not understood: {rest[0]!r}")
    return value


def _uncommented(line: str) -> str:
    if "\t" in line:
        raise ValueError(f"a tab: {line!r}")
    return re.sub(r"(^|\s)#.*$", "", line).rstrip()


def _block(lines: list[str], depth: int) -> tuple[Any, list[str]]:
    """What stands at this depth, and the lines behind it."""
    found: Any = None
    while lines:
        indent, item, key, rest = _parts(lines[0])
        if indent < depth:
            break
        if indent > depth:
            raise ValueError(f"indented too far: {lines[0]!r}")
        if item:
            found = [] if found is None else found
            if key:  # a mapping that begins behind the dash
                lines = [f"{' ' * (depth + 2)}{key}:{f' {rest}' if rest else ''}", *lines[1:]]
                value, lines = _block(lines, depth + 2)
            else:
                value, lines = _scalar(rest), lines[1:]
            found.append(value)
            continue
        found = {} if found is None else found
        if not key or key in found:
            raise ValueError(f"no key, or one for the second time: {lines[0]!r}")
        lines = lines[1:]
        if rest:
            found[key] = _scalar(rest)
        elif lines and (inner := len(lines[0]) - len(lines[0].lstrip())) > depth:
            found[key], lines = _block(lines, inner)
        else:
            found[key] = None
    return found, lines


def _parts(line: str) -> tuple[int, bool, str, str]:
    match = _LINE.fullmatch(line)
    assert match is not None
    return len(match[1]), bool(match[2]), match[3] or "", match[4].strip()


def _scalar(text: str) -> Any:
    if text.startswith("[") and text.endswith("]"):
        return [_scalar(each.strip()) for each in text[1:-1].split(",") if each.strip()]
    if text == "{}":
        return {}
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text) if "." in text else int(text)
    if text[:1] == text[-1:] and text[:1] in ("'", '"') and len(text) > 1:
        return text[1:-1]
    if re.match(r"[&*!|>%@`{\[]", text) or ": " in text:
        raise ValueError(f"not plain: {text!r}")
    return text
