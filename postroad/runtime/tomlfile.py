"""A settings file as tables. TOML's own words for a slip name a column; ours name the slip."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from postroad.runtime.errors import SettingsError

_LINE = re.compile(r"\(at line (\d+)")
_DATE = re.compile(r"\s*([A-Za-z_]+)\s*=\s*\d{1,4}([-./])\d{1,2}\2\d{1,4}\s*(?:#.*)?")
_HEADER = re.compile(r"\s*(\[{1,2})([^\[\]#=]+)\]{1,2}\s*(?:#.*)?")


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a file. SettingsError, one line, when it is no readable TOML."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise SettingsError(f"{path}: {reason}") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        told = " ".join(str(error).split())
        slip = _slip(text, told)
        raise SettingsError(
            f"{path}: {slip}" if slip else f"{path} is not valid TOML: {told}"
        ) from None


def part_before(part: str, whole: str) -> str:
    """What is wrong where a table `[[relay.destination]]` has no `[[relay]]` above it."""
    return f"{part} stands before any {whole}; put it below the {whole} it belongs to"


def _slip(text: str, told: str) -> str:
    """What was probably meant in the line that an error names, "" where nothing is known.

    Of the line only a name is repeated: it may hold a secret.
    """
    found = _LINE.search(told)
    if found is None:
        return ""
    number = int(found[1])
    lines = text.split("\n")
    line = lines[number - 1] if number <= len(lines) else ""
    if date := _DATE.fullmatch(line.rstrip()):
        return f"line {number}: {date[1]} is not a date such as 2026-12-01"
    header = _header(line)
    if header.startswith("[["):
        inside = header[2:-2] + "."
        for above, part in enumerate(map(_header, lines[: number - 1]), 1):
            if part.strip("[]").startswith(inside):
                return f"line {above}: {part_before(part, header)}"
    return ""


def _header(line: str) -> str:
    """The header that a line is, without blanks; "" where it is none."""
    found = _HEADER.fullmatch(line)
    if found is None:
        return ""
    name = re.sub(r"[\s\"']", "", found[2])
    return f"{found[1]}{name}{']' * len(found[1])}"
