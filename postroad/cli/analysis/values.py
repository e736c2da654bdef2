"""Values of SQL as programs and people read them (pure)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

# What a terminal would obey, or what turns the text around it: shown by its number instead.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_UNSAFE_LINES = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))
_FINE = 1e-3, 1e15  # floats between are shown without exponent


def visible(text: str, *, lines: bool = False) -> str:
    """`text` with what a terminal would obey shown by its number; with `lines`, TAB and LF stay."""
    if text.isprintable():
        return text
    return (_UNSAFE_LINES if lines else _UNSAFE).sub(_number, text)


def _number(found: re.Match[str]) -> str:
    code = ord(found[0])
    if found[0] in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[found[0]]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def plain(value: Any) -> Any:
    """A value as JSON has it: times are RFC 3339 in UTC, what JSON has no number for is null."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case datetime():
            return value.replace(tzinfo=None).isoformat() + "Z"
        case date() | time():
            return value.isoformat()
        case Decimal():
            if not value.is_finite():
                return None
            return int(value) if value == value.to_integral_value() else float(value)
        case bytes() | bytearray():
            return bytes(value).hex()
        case Mapping():
            return {str(plain(key)): plain(item) for key, item in value.items()}
        case Sequence():
            return [plain(item) for item in value]
    return str(value)  # an interval, a UUID


def as_json(value: Any) -> str:
    """One JSON value on one line, with nothing in it that a terminal would obey."""
    text = json.dumps(plain(value), ensure_ascii=False)
    return text if text.isprintable() else _UNSAFE.sub(lambda at: f"\\u{ord(at[0]):04x}", text)


def as_csv(value: Any) -> str:
    """A field of CSV: empty for null, JSON for what has parts, `nan` and `inf` as DuckDB says."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    value = plain(value)
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Mapping() | list():
            return as_json(value)
    return str(value)


def shown(value: Any) -> str:
    """A cell for people."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return _float(value)
        case datetime():
            return _moment(value)
        case timedelta():
            text = str(value)
            return text.rstrip("0") if "." in text else text
        case Mapping() | list():
            return as_json(value)
        case str():
            return visible(value)
    return visible(str(plain(value)))


def _moment(value: datetime) -> str:
    text = str(value.replace(tzinfo=None))
    return text.rstrip("0") if "." in text else text


def _float(value: float) -> str:
    if not math.isfinite(value) or not (value == 0 or _FINE[0] <= abs(value) < _FINE[1]):
        return str(value)
    return f"{value:.4f}".rstrip("0").rstrip(".")


def unlike(names: Sequence[str]) -> list[str]:
    """Names of columns of which no two are alike, for JSON and Parquet."""
    found: list[str] = []
    for name in names:
        number, told = 1, name
        while told in found:
            number += 1
            told = f"{name}_{number}"
        found.append(told)
    return found
