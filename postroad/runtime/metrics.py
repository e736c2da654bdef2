"""What a process counts: cheap counters, gauges and histograms, told in its `Report`.

One dictionary entry each; OpenTelemetry is not imported here, for it would cost every process
memory and start-up (ADR 20 says so of spans). The service `monitor` collects what all processes
tell, and exports it. Which instruments there are, and their attributes, is `instruments.py`.

    health.metrics.add(instruments.MAILS, "home", "received")
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Literal

import msgspec

MOST = 2_000  # series of a process; what is beyond this is a fault, and is not counted

Kind = Literal["counter", "gauge", "histogram"]


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """What can be measured. `name`, `unit` (UCUM) and `attributes` follow OpenTelemetry's
    conventions; values of attributes are given in their order. `bounds` are the upper, inclusive
    bounds of a histogram's buckets; above the last is one more."""

    name: str
    kind: Kind
    unit: str
    about: str
    attributes: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


class Point(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One series as it is now. `value` is a counter's or gauge's, and of a histogram the sum;
    `buckets` are counts, of those a bucket holds alone, one more than there are bounds."""

    name: str
    values: tuple[str, ...] = ()
    value: float = 0.0
    buckets: tuple[int, ...] = ()


_Key = tuple[str, tuple[str, ...]]


class Metrics:
    """The series of one process, since it started."""

    __slots__ = ("_buckets", "_numbers")

    def __init__(self) -> None:
        self._numbers: dict[_Key, float] = {}
        self._buckets: dict[_Key, list[int]] = {}

    def add(self, what: Instrument, *values: str, by: float = 1) -> None:
        """Count something that happened, `by` times."""
        key = (what.name, values)
        try:
            self._numbers[key] += by
        except KeyError:
            if self._begins(what, values):
                self._numbers[key] = by

    def set(self, what: Instrument, *values: str, to: float) -> None:
        """How much there is of something now."""
        key = (what.name, values)
        if key in self._numbers or self._begins(what, values):
            self._numbers[key] = to

    def record(self, what: Instrument, *values: str, value: float) -> None:
        """Put a measured value into its bucket."""
        key = (what.name, values)
        buckets = self._buckets.get(key)
        if buckets is None:
            if not self._begins(what, values):
                return
            buckets = self._buckets[key] = [0] * (len(what.bounds) + 1)
            self._numbers[key] = 0.0
        buckets[bisect_left(what.bounds, value)] += 1
        self._numbers[key] += value

    def points(self) -> Iterator[Point]:
        """Every series."""
        for key, value in self._numbers.items():
            name, values = key
            buckets = tuple(self._buckets.get(key, ()))
            yield Point(name, values, round(value, 6), buckets)

    def _begins(self, what: Instrument, values: tuple[str, ...]) -> bool:
        """Whether there is room for one more series."""
        assert len(values) == len(what.attributes), what.name
        return len(self._numbers) < MOST
