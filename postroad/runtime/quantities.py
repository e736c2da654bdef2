"""Durations, sizes and rates as people write them in settings: "60s", "25MB", "50/s"."""

from __future__ import annotations

import re

from postroad.runtime.errors import SettingsError

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_BYTES = {
    "": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_PERIODS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_RATE = re.compile(r"\s*(\d{1,9})\s*/\s*([A-Za-z]+)\s*", re.ASCII)
_FORM = re.compile(r"\s*(\d{1,100}(?:\.\d{1,6})?)\s*([A-Za-z]*)\s*", re.ASCII)
_MOST = 999_999_999_999  # of any unit


def duration(text: str) -> float:
    """Seconds in `"500ms"`, `"60s"`, `"5m"`, `"2h"`, `"30d"`; SettingsError for anything else."""
    return _quantity(text, _SECONDS, 'a duration such as "60s" or "5m" (ms, s, m, h, d)')


def size(text: str) -> int:
    """Bytes in `"40KB"`, `"25MB"` (decimal), `"1MiB"` (binary), `"1024"`; else SettingsError."""
    return int(_quantity(text, _BYTES, 'a size such as "40KB" or "25MB" (KB, MB, GB, KiB, MiB)'))


def rate(text: str) -> tuple[int, float]:
    """How many in how many seconds, of `"50/s"`, `"600/m"`, `"3000/h"`; else SettingsError."""
    match = _RATE.fullmatch(text)
    if match is None or match[2].lower() not in _PERIODS or not int(match[1]):
        raise SettingsError(f'"{text}" is not a rate such as "50/s" or "3000/h" (s, m, h, d)')
    return int(match[1]), _PERIODS[match[2].lower()]


def _quantity(text: str, units: dict[str, float] | dict[str, int], wanted: str) -> float:
    match = _FORM.fullmatch(text)
    if match is None or match[2].lower() not in units:
        raise SettingsError(f'"{text}" is not {wanted}')
    if float(match[1]) > _MOST:
        raise SettingsError(f'"{text}" is too large; at most {_MOST:,}')
    return float(match[1]) * units[match[2].lower()]
