"""What all processes have counted together, while they come and go. Pure.

A process that is started again begins at zero, and its counts are added to those of the one before;
what one counted between the last look at it and its end is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from postroad.runtime.health import Report
from postroad.runtime.instruments import CPU
from postroad.runtime.metrics import Instrument, Point


class Series(NamedTuple):
    """One series: the name of its instrument, and the values of its attributes."""

    name: str
    values: tuple[str, ...]


class Sum(NamedTuple):
    """A counter's or gauge's value; of a histogram the sum of what was measured, and how many each
    bucket holds."""

    value: float
    buckets: tuple[int, ...] = ()

    def plus(self, other: Sum, sign: int = 1) -> Sum:
        """The two together, or with `sign` -1 their difference."""
        wide = max(len(self.buckets), len(other.buckets))
        one, two = (each.buckets + (0,) * (wide - len(each.buckets)) for each in (self, other))
        buckets = tuple(a + sign * b for a, b in zip(one, two, strict=True))
        return Sum(self.value + sign * other.value, buckets)


NOTHING = Sum(0.0)
Row = tuple[str, tuple[str, ...], float, tuple[int, ...]]  # a series and its sum, to be stored


class Totals:
    """The sums of all reports so far."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._instruments = {each.name: each for each in instruments}
        self._last: dict[str, dict[Series, Sum]] = {}  # by instance
        self._sums: dict[Series, Sum] = {}
        self._gauges: dict[Series, Sum] = {}

    def take(self, reports: Iterable[Report]) -> None:
        """What the processes that are there tell now. An instrument that is not known, of another
        release, is passed over."""
        self._gauges = {}
        living = {}
        for report in reports:
            living[report.instance] = self._take(report)
        self._last = {**dict(list(self._last.items())[-50:]), **living}

    def rows(self) -> tuple[list[Row], dict[str, list[Row]]]:
        """What was counted, and what each instance had told by then, to be kept."""
        return _rows(self._sums), {name: _rows(told) for name, told in self._last.items()}

    def go_on(self, sums: Iterable[Row], last: Mapping[str, Iterable[Row]]) -> None:
        """Count on from what was kept; instruments that another release had otherwise are not."""
        self._sums = self._known(sums)
        self._last = {name: self._known(told) for name, told in last.items()}

    def _known(self, rows: Iterable[Row]) -> dict[Series, Sum]:
        return {
            Series(name, values): Sum(value, buckets)
            for name, values, value, buckets in rows
            if (what := self._instruments.get(name)) is not None
            and len(values) == len(what.attributes)
            and len(buckets) == (len(what.bounds) + 1 if what.kind == "histogram" else 0)
        }

    def sums(self) -> Mapping[Series, Sum]:
        """Every series: counters and histograms as they added up, gauges of who is there."""
        return {**self._sums, **self._gauges}

    def _take(self, report: Report) -> dict[Series, Sum]:
        before = self._last.get(report.instance, {})
        told = {}
        used = Point(CPU.name, (report.service,), report.cpu)
        for point in (*report.metrics, used):
            instrument = self._instruments.get(point.name)
            if instrument is None or len(point.values) != len(instrument.attributes):
                continue
            series, now = Series(point.name, point.values), Sum(point.value, point.buckets)
            if instrument.kind == "gauge":
                self._gauges[series] = self._gauges.get(series, NOTHING).plus(now)
                continue
            told[series] = now
            grown = now.plus(before.get(series, NOTHING), -1)
            self._sums[series] = self._sums.get(series, NOTHING).plus(grown)
        return told


def _rows(sums: Mapping[Series, Sum]) -> list[Row]:
    return [(*series, *total) for series, total in sums.items()]
