"""What a spam filter thought of a mail, in the fields that filters write. Pure; never raises.

X-Spam-Status: Yes, score=7.4 required=5.0 tests=...      SpamAssassin
X-Spam-Flag: YES
X-Spam-Score: 7.4 (+++++++)                               and many others
X-Spam-Level: *******
X-Spamd-Result: default: False [7.40 / 15.00]; ...        Rspamd
X-MS-Exchange-Organization-SCL: 5                         Exchange
"""

from __future__ import annotations

import re
from typing import NamedTuple

MOST = 10_000.0  # points; GTUBE, the test mail, has 1,000

_NUMBER = r"([-+]?\d{1,6}(?:\.\d{1,6})?)(?![\w.])"
_POINTS = (
    re.compile(rf"\b(?:score|hits)\s*[=:]\s*{_NUMBER}", re.ASCII | re.IGNORECASE),
    re.compile(rf"\[\s*{_NUMBER}\s*/", re.ASCII),
    re.compile(rf"\A\s*{_NUMBER}", re.ASCII),
)
_STARS = re.compile(r"\s*([*+]{1,200})\s*", re.ASCII)
_FLAG = re.compile(r"\s*(?:default:\s*)?(yes|true|no|false)\b", re.ASCII | re.IGNORECASE)


class Score(NamedTuple):
    """What a filter found: whether it takes the mail for spam, and its points where it tells any.
    `tests` are names of what it found, for people."""

    spam: bool
    points: float | None = None
    tests: tuple[str, ...] = ()


def read(value: str) -> Score | None:
    """The score in the value of such a field; None where it has none."""
    flag = _FLAG.match(value)
    points = _points(value)
    if flag is None and points is None:
        return None
    return Score(flag is not None and flag[1].lower() in ("yes", "true"), points)


def _points(value: str) -> float | None:
    if stars := _STARS.fullmatch(value):
        return float(len(stars[1]))
    found = next((match for each in _POINTS if (match := each.search(value))), None)
    return bounded(float(found[1])) if found else None


def bounded(points: float) -> float:
    """So many points as can be compared and shown."""
    return max(-MOST, min(points, MOST)) if points == points else 0.0  # noqa: PLR0124  not a number
